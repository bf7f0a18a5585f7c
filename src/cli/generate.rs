// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern generate`: man pages, completions and the configuration's schema, from the definitions that the program
//! itself uses.

use super::arguments::{Arguments, Generated};
use super::{man, output};
use crate::config;
use clap::CommandFactory;
use std::fs;
use std::io;
use std::path::Path;

/// Writes what is asked for.
pub(super) fn generate(what: &Generated) -> io::Result<()> {
    match what {
        Generated::Man { directory } => man_pages(directory),
        Generated::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "postern", &mut text);
            output::print(&String::from_utf8_lossy(&text))
        }
        Generated::Schema => output::print_json(&config::schema()),
    }
}

fn man_pages(directory: &Path) -> io::Result<()> {
    let at = |path: &Path, error: &io::Error| {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(directory).map_err(|error| at(directory, &error))?;
    for (file, text) in man::pages(Arguments::command()) {
        let path = directory.join(file);
        fs::write(&path, text).map_err(|error| at(&path, &error))?;
    }
    Ok(())
}
