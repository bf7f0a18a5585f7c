// SPDX-License-Identifier: GPL-3.0-or-later
//! From a provider's file to what is known of it, with every problem on the way.

use super::file::{self, Certainty as Written, Fact as FactTable, File, Texts};
use super::{CUSTOMER, Certainty, Fact, Known, Provider, Providers, Region};
use crate::config::placed::Placed;
use crate::config::published::{self, Wrong};
use crate::config::settings::{Feed, FeedFormat};
use crate::config::source::ReadError;
use crate::config::text::{self, Text};
use crate::config::tree::{self, Lost};
use crate::config::wording::quoted;
use crate::config::{Place, Problem, Problems};
use crate::mail::{CertificatePattern, Network};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that a directory of providers may have.
const MAX_FILES: usize = 1000;
/// Stands for any customer when a fact is checked.
const SOME_CUSTOMER: &str = "customer.example";

impl Providers {
    /// Adds the files of a directory, `*.toml`, by name. `named` is where the configuration names it.
    pub(in crate::config) fn add_directory(&mut self, dir: &Path, named: &Place, problems: &mut Problems) {
        let name = quoted(&dir.to_string_lossy());
        let paths = match files_in(dir) {
            Ok(paths) => paths,
            Err(error) => {
                problems.push(Problem::error(named.clone(), format!("cannot read {name}: {error}")));
                return;
            }
        };
        if paths.is_empty() || paths.len() > MAX_FILES {
            let what = format!("{name} has {} files of providers, `*.toml`", paths.len());
            let problem = Problem::warning(named.clone(), what);
            problems.push(problem.help(format!("1 to {MAX_FILES} are read")));
        }
        let mut read: Vec<(Box<str>, PathBuf)> = Vec::new();
        for path in paths.into_iter().take(MAX_FILES) {
            let text = match Text::read(&path, problems) {
                Ok(text) => text,
                Err(error) => {
                    problems.push(text::unreadable(&path, &error));
                    continue;
                }
            };
            let Some((provider, place)) = read_one(&text, problems) else { continue };
            if let Some((_, other)) = read.iter().find(|(name, _)| *name == provider.name) {
                let what = format!("`{}` is there already, in {}", provider.name, other.display());
                problems.push(Problem::error(place, what).help("keep one of the two"));
                continue;
            }
            read.push((provider.name.clone(), path));
            if let Err(taken) = self.put(provider) {
                let what = format!("another provider is called `{taken}`");
                problems.push(Problem::error(place, what).help("give it another name"));
            }
        }
    }
}

fn files_in(dir: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|extension| extension == "toml") && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads one file; nothing when it cannot be used. The place is that of its name.
pub(super) fn read_one(text: &Text, problems: &mut Problems) -> Option<(Provider, Place)> {
    let mut found = Problems::default();
    let tree: Option<tree::Tree<File>> = tree::read(text, &mut found);
    let provider =
        tree.and_then(|tree| Reader { text, lost: &tree.lost, problems: &mut found }.provider(&tree.file));
    let whole = !found.has_errors();
    problems.append(found);
    provider.filter(|_| whole)
}

struct Reader<'a> {
    text: &'a Text,
    lost: &'a Lost,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn place<T>(&self, at: &Placed<T>) -> Place {
        self.text.place(at.span().unwrap_or_default())
    }

    fn error<T>(&mut self, at: &Placed<T>, what: impl Into<String>, help: impl Into<String>) {
        let place = self.place(at);
        self.problems.push(Problem::error(place, what).help(help));
    }

    fn provider(&mut self, file: &File) -> Option<(Provider, Place)> {
        let File { name, title, aliases, note, fact, unverified, needs, region } = file;
        let customer = needs.as_ref().map(|needs| {
            let file::Needs { customer } = &***needs;
            customer
        });
        let (Some(name), Some(title)) = (name, title) else {
            if !self.lost.ends_in(&["name", "title"]) {
                let what = "a provider needs a `name` and a `title`";
                let help = "write `name = \"example\"` and `title = \"Example Mail Filter\"` at the top";
                self.problems.push(Problem::error(self.text.place(0..0), what).help(help));
            }
            return None;
        };
        for name in std::iter::once(name).chain(aliases).chain(region.keys()) {
            self.name(name);
        }
        let (common, common_unverified) = (self.facts(fact, false), self.facts(unverified, true));
        let mut regions = Vec::new();
        for (region, table) in region {
            let file::Region { title: own, fact, unverified } = &***table;
            if fact.is_empty() {
                self.error(
                    region,
                    "nothing is known of this region",
                    "write a table with [[region.NAME.fact]]",
                );
            }
            regions.push(Region {
                written: format!("{}/{}", **name, **region).into(),
                name: Some(region.as_str().into()),
                title: own.as_ref().unwrap_or(region).as_str().into(),
                facts: common.iter().cloned().chain(self.facts(fact, false)).collect(),
                unverified: common_unverified.iter().cloned().chain(self.facts(unverified, true)).collect(),
            });
        }
        let mx = common.iter().filter_map(|fact| match &fact.known {
            Known::Mx(suffix) => Some(suffix.clone()),
            Known::Spf(_)
            | Known::Host(_)
            | Known::Feed(_)
            | Known::Network(_)
            | Known::Certificate(_)
            | Known::AlternativeName(_) => None,
        });
        let mx = mx.collect();
        if regions.is_empty() {
            regions.push(Region {
                written: name.as_str().into(),
                name: None,
                title: title.as_str().into(),
                facts: common,
                unverified: common_unverified,
            });
        }
        match (customer, regions.iter().any(Region::needs_customer)) {
            (None, true) => {
                let what = format!("`{CUSTOMER}` is used and nothing says what it is");
                self.error(name, what, "write [needs], and below it `customer = \"what it is\"`");
            }
            (Some(customer), false) => {
                let what = format!("nothing has `{CUSTOMER}` in it");
                self.error(customer, what, "leave [needs] out");
            }
            (Some(_), true) | (None, false) => {}
        }
        let provider = Provider {
            name: name.as_str().into(),
            title: title.as_str().into(),
            aliases: aliases.iter().map(|alias| alias.as_str().into()).collect(),
            note: note.as_deref().map(Into::into),
            customer: customer.map(|customer| customer.as_str().into()),
            regions,
            mx,
        };
        Some((provider, self.place(name)))
    }

    fn name(&mut self, name: &Placed<String>) {
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        if !fits {
            let what = format!("{} cannot be a name", quoted(name));
            self.error(name, what, "a name has small letters, digits, `-` and `.`, at most 64");
        }
    }

    fn facts(&mut self, tables: &[crate::config::table::Table<FactTable>], unverified: bool) -> Vec<Fact> {
        let mut facts = Vec::new();
        for table in tables {
            let FactTable {
                mx,
                spf,
                hosts,
                feed,
                format,
                networks,
                certificate,
                alternative_name,
                source,
                date,
                certainty,
            } = &***table;
            let (Some(source), Some(date), Some(certainty)) = (source, date, certainty) else {
                if !self.lost.ends_in(&["source", "date", "certainty"]) {
                    let what = "a fact needs `source`, `date` and `certainty`";
                    self.error(table, what, "write where it was seen, when, and how certain it is");
                }
                continue;
            };
            if !is_date(date) {
                self.error(date, format!("{} is no date", quoted(date)), "write it as \"2026-11-21\"");
            }
            match (unverified, certainty) {
                (false, Written::Low) => {
                    let what = "what is of low certainty is not used";
                    self.error(table, what, "write it as [[unverified]], or find out more");
                }
                (true, Written::High | Written::Medium) => {
                    let what = "what is certain is not unverified";
                    self.error(table, what, "write it as [[fact]], or `certainty = \"low\"`");
                }
                (false, Written::High | Written::Medium) | (true, Written::Low) => {}
            }
            let kinds: [(&Option<Texts>, ReadKnown); 7] = [
                (mx, |text, _| published::host(text).map(Known::Mx)),
                (spf, as_spf),
                (hosts, |text, _| published::host(text).map(Known::Host)),
                (feed, as_feed),
                (networks, as_network),
                (certificate, |text, _| as_pattern(text).map(|()| Known::Certificate(text.into()))),
                (alternative_name, |text, _| as_pattern(text).map(|()| Known::AlternativeName(text.into()))),
            ];
            let written: Vec<_> =
                kinds.into_iter().filter_map(|(texts, read)| Some((texts.as_ref()?, read))).collect();
            let [(texts, read)] = written.as_slice() else {
                let what = "a fact has exactly one of `mx`, `spf`, `hosts`, `feed`, `networks`, `certificate` and \
                            `alternative_name`";
                self.error(table, what, "write several as several facts");
                continue;
            };
            for text in texts.each() {
                match read(text.as_str(), format.map(Into::into)) {
                    Ok(known) => facts.push(Fact {
                        known,
                        source: source.as_str().into(),
                        date: date.as_str().into(),
                        certainty: Certainty::from(*certainty),
                    }),
                    Err((what, help)) => self.error(&text, what, help),
                }
            }
        }
        facts
    }
}

/// Reads one text of a fact; the format is that of a feed, where it is written.
type ReadKnown = fn(&str, Option<FeedFormat>) -> Result<Known, Wrong>;

fn as_feed(text: &str, format: Option<FeedFormat>) -> Result<Known, Wrong> {
    let (url, usual) = published::feed(text)?;
    let format = format.unwrap_or(usual);
    Ok(Known::Feed(Arc::new(Feed { url, format, ca: None, pins: Vec::new() })))
}

fn as_spf(text: &str, _: Option<FeedFormat>) -> Result<Known, Wrong> {
    published::spf(&text.replace(CUSTOMER, SOME_CUSTOMER)).map(|_| Known::Spf(text.into()))
}

fn as_pattern(text: &str) -> Result<(), Wrong> {
    match CertificatePattern::parse(&text.replace(CUSTOMER, SOME_CUSTOMER)) {
        Ok(_) => Ok(()),
        Err(error) => {
            let help = "write `mail.example.com`, or `*.example.com` for any host right below";
            Err((format!("{} is no name of a certificate: {error}", quoted(text)), help.to_owned()))
        }
    }
}

fn as_network(text: &str, _: Option<FeedFormat>) -> Result<Known, Wrong> {
    match Network::parse(text) {
        Ok(parsed) if !parsed.host_bits => Ok(Known::Network(parsed.network)),
        Ok(parsed) => {
            let what = format!("{} has bits set beyond its prefix", quoted(text));
            Err((what, format!("write `{}`", parsed.network)))
        }
        Err(error) => {
            Err((format!("{} is no network: {error}", quoted(text)), "write 192.0.2.0/24".to_owned()))
        }
    }
}

/// `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    text.parse::<toml::value::Datetime>()
        .is_ok_and(|date| date.date.is_some() && date.time.is_none() && date.offset.is_none())
}
