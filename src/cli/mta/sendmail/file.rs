// SPDX-License-Identifier: GPL-3.0-or-later
//! A sendmail.cf as it is read: lines, of which those that begin with a blank belong to the one before; each by its first
//! letter. Only what is checked is taken apart. At most 4 MiB are read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// How long a file may be.
const LIMIT: u64 = 4 << 20;

/// A configuration of Sendmail's.
#[derive(Debug, Default)]
pub(super) struct Cf(Vec<String>);

/// A line `Xname, S=..., F=..., T=...`, or `O DaemonPortOptions=...`: fields parted by commas.
#[derive(Debug)]
pub(super) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl Cf {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
        };
        let mut text = Vec::new();
        let file = File::open(path).map_err(named)?;
        file.take(LIMIT + 1).read_to_end(&mut text).map_err(named)?;
        if text.len() as u64 > LIMIT {
            return Err(named(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 4 MiB")));
        }
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            if line.starts_with([' ', '\t']) {
                if let Some(last) = lines.last_mut() {
                    last.push(' ');
                    last.push_str(line.trim());
                }
            } else if !line.is_empty() && !line.starts_with('#') {
                lines.push(line.trim_end().to_owned());
            }
        }
        Self(lines)
    }

    /// What follows these first letters, for each line that has them.
    pub(super) fn after<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |line| line.strip_prefix(start))
    }

    /// The last value of an option.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options(name).pop()
    }

    /// Every value of an option.
    pub(super) fn options(&self, name: &str) -> Vec<&str> {
        let value = |option: &'_ str| -> Option<usize> {
            let (known, value) = option.split_once('=')?;
            (known.trim() == name).then(|| option.len() - value.len())
        };
        self.after("O ").filter_map(|option| Some(option[value(option)?..].trim())).collect()
    }

    /// The members of a class that stand in the file itself, and the files with more of them.
    pub(super) fn class(&self, name: &str) -> (Vec<&str>, Vec<&str>) {
        let short = (name.len() == 1).then(|| name.to_owned());
        let names: Vec<String> = [Some(format!("{{{name}}}")), short].into_iter().flatten().collect();
        let (mut members, mut files) = (Vec::new(), Vec::new());
        for line in &self.0 {
            for (letter, found) in [('C', &mut members), ('F', &mut files)] {
                let Some(rest) = line.strip_prefix(letter) else { continue };
                let rest = names.iter().find_map(|name| rest.strip_prefix(name.as_str()));
                found.extend(rest.into_iter().flat_map(str::split_whitespace));
            }
        }
        (members, files)
    }

    /// Whether a line is there, however its blanks are.
    pub(super) fn has(&self, line: &str) -> bool {
        self.0.iter().any(|known| known.split_whitespace().eq(line.split_whitespace()))
    }
}

impl<'a> Fields<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let field = |field: &'a str| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            (name.trim(), value.trim())
        };
        Self(text.split(',').map(field).collect())
    }

    /// A field's value.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// What stands before the first comma.
    pub(super) fn first(&self) -> &'a str {
        self.0.first().map(|(name, _)| *name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let cf = Cf::parse(
            "# a comment\nO InputMailFilters=a, b\nXpostern, S=inet:1@h,\n\tF=T, T=C:30s;R:5s\nCRa.example b.example\n\
             C{R}c.example\nFR-o /etc/mail/relay-domains\nR$*  < @ x >\t\t$: $1\tcomment\n",
        );
        assert_eq!(cf.option("InputMailFilters"), Some("a, b"));
        let milter = Fields::of(cf.after("X").next().unwrap());
        assert_eq!(
            (milter.first(), milter.get("S"), milter.get("f")),
            ("postern", Some("inet:1@h"), Some("T"))
        );
        assert_eq!(milter.get("T"), Some("C:30s;R:5s"));
        let (members, files) = cf.class("R");
        assert_eq!(members, ["a.example", "b.example", "c.example"]);
        assert_eq!(files, ["-o", "/etc/mail/relay-domains"]);
        assert!(cf.has("R$* < @ x > $: $1 comment"));
        assert!(!cf.has("R$* < @ x > $: $1"));
    }
}
