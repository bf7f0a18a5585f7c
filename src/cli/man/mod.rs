// SPDX-License-Identifier: GPL-3.0-or-later
//! Man pages: one for the program, one for each command, one for the configuration file.

mod config;

use super::manual::{Manual, Part, Section};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

/// All pages, by file name.
pub(super) fn pages(command: Command) -> Vec<(String, Vec<u8>)> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let main: Vec<String> =
        std::iter::once(&command).chain(command.get_subcommands()).map(page_name).collect();
    let mut pages: Vec<(String, Vec<u8>)> = with_subcommands(&command)
        .into_iter()
        .map(|command| {
            let name = page_name(command);
            (format!("{name}.1"), command_page(command, &name, &main))
        })
        .collect();
    pages.push(("postern.toml.5".to_owned(), config_page(&main)));
    pages
}

/// A command and all below it.
fn with_subcommands(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().flat_map(with_subcommands);
    std::iter::once(command).chain(below).collect()
}

fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn command_page(command: &Command, name: &str, main: &[String]) -> Vec<u8> {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut page = begin(name, "1", &about);
    let usage = command.clone().render_usage().to_string();
    page.control("SH", ["SYNOPSIS"]).text([roman(usage.trim_start_matches("Usage: "))]);
    page.control("SH", ["DESCRIPTION"]);
    let description = command.get_long_about().map_or(about, ToString::to_string);
    // The long text begins with the short one, which the page has said already.
    let paragraphs: Vec<&str> = description.split("\n\n").collect();
    for paragraph in &paragraphs[usize::from(paragraphs.len() > 1)..] {
        page.control("PP", []).text([roman(*paragraph)]);
    }
    let mut text = page.render().into_bytes();
    let options = Man::new(command.clone());
    // Writing to memory does not fail.
    let _ = options.render_options_section(&mut text);
    if command.has_subcommands() {
        let _ = options.render_subcommands_section(&mut text);
    }
    let mut page = Roff::new();
    if let Some(manual) = Manual::of(name) {
        manual.0.iter().for_each(|section| write_section(section, &mut page));
    }
    let others = main.iter().filter(|other| *other != name).map(|other| (other.as_str(), "1"));
    see_also(others.chain([("postern.toml", "5")]), &mut page);
    text.extend(page.to_roff().into_bytes());
    text
}

fn config_page(main: &[String]) -> Vec<u8> {
    let mut page = begin("postern.toml", "5", "the configuration of Postern");
    config::write(&crate::config::schema(), &mut page);
    see_also(main.iter().map(|name| (name.as_str(), "1")), &mut page);
    page.render().into_bytes()
}

/// The title and the name.
fn begin(name: &str, section: &str, about: &str) -> Roff {
    let mut page = Roff::new();
    let source = concat!("Postern ", env!("CARGO_PKG_VERSION"));
    // An argument that is empty would be lost; a page has no date of its own.
    page.control("TH", [name.to_uppercase().as_str(), section, " ", source, "Postern"]);
    page.control("SH", ["NAME"]).text([roman(format!("{name} - {about}"))]);
    page
}

fn see_also<'a>(pages: impl Iterator<Item = (&'a str, &'a str)>, page: &mut Roff) {
    let mut list: Vec<Inline> = Vec::new();
    for (name, section) in pages {
        if !list.is_empty() {
            list.push(roman(", "));
        }
        list.extend([bold(name), roman(format!("({section})"))]);
    }
    page.control("SH", ["SEE ALSO"]).text(list);
}

fn write_section(Section { heading, parts }: &Section, page: &mut Roff) {
    page.control("SH", [heading.to_uppercase().as_str()]);
    for part in *parts {
        match part {
            Part::Prose(text) => {
                page.control("PP", []).text([roman(*text)]);
            }
            Part::List(entries) => {
                for (term, meaning) in *entries {
                    page.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
                }
            }
            Part::Verbatim(text) => {
                page.control("PP", []).control("RS", ["4"]).control("nf", []);
                for line in text.lines() {
                    page.text([roman(line)]);
                }
                page.control("fi", []).control("RE", []);
            }
        }
    }
}
