// SPDX-License-Identifier: GPL-3.0-or-later
//! The first row: names of columns, compared without case, blanks around them, and Google's `[Required]` behind them.

use crate::config::Columns;

/// Names of columns that are shown of a header.
const SHOWN: usize = 20;

/// The names of the columns.
#[derive(Debug)]
pub(super) struct Header {
    written: Vec<Box<str>>,
    folded: Vec<Box<str>>,
}

/// A name as it is compared.
fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

/// A name without what Google puts behind it.
fn bare(folded: &str) -> &str {
    match folded.rsplit_once('[') {
        Some((name, mark)) if mark.ends_with(']') => name.trim_end(),
        Some(_) | None => folded,
    }
}

impl Header {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let written: Vec<Box<str>> = names.map(|name| name.trim().into()).collect();
        let folded = written.iter().map(|name| fold(name).into()).collect();
        Self { written, folded }
    }

    /// How many columns there are.
    pub(super) fn len(&self) -> usize {
        self.written.len()
    }

    /// The name of a column as it is written.
    pub(super) fn name(&self, column: usize) -> &str {
        self.written.get(column).map_or("", |name| name)
    }

    /// Whether there is a column of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.matching(name).next().is_some()
    }

    /// The column of this name; two of them are an error.
    pub(super) fn column(&self, name: &str) -> Result<Option<usize>, String> {
        let mut matching = self.matching(name);
        let Some(first) = matching.next() else { return Ok(None) };
        match matching.next() {
            None => Ok(Some(first)),
            Some(second) => Err(format!(
                "the columns {} and {} are both called `{}`, and nothing tells which is meant: rename one of them",
                first + 1,
                second + 1,
                self.name(first)
            )),
        }
    }

    /// Columns of this name, or of this name and a number: `aliases`, `aliases.0`, `aliases.1`. Where there are numbered ones,
    /// the one without is their count.
    pub(super) fn numbered(&self, name: &str) -> Result<Vec<usize>, String> {
        let is_numbered = |folded: &str| {
            folded
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
        };
        let numbered: Vec<usize> = (0..self.len()).filter(|at| is_numbered(&self.folded[*at])).collect();
        if numbered.is_empty() { Ok(self.column(name)?.into_iter().collect()) } else { Ok(numbered) }
    }

    fn matching(&self, name: &str) -> impl Iterator<Item = usize> {
        let name = fold(name);
        let exact = self.folded.iter().any(|folded| **folded == *name);
        self.folded
            .iter()
            .enumerate()
            .filter(move |(_, folded)| if exact { ***folded == *name } else { bare(folded) == name })
            .map(|(column, _)| column)
    }

    /// Says that columns are missing.
    pub(super) fn missing(&self, columns: &Columns) -> Option<String> {
        let Columns { addresses, groups, kind, internal_only } = columns;
        let missing: Vec<String> = addresses
            .iter()
            .chain([groups, kind, internal_only].into_iter().flatten())
            .filter(|name| !self.has(name))
            .map(|name| format!("`{name}`"))
            .collect();
        let which = match missing.as_slice() {
            [] => return None,
            [one] => format!("there is no column {one}"),
            more => format!("there are no columns {}", more.join(", ")),
        };
        Some(format!("{which}; the header has {}: write their names in `columns`", self.shown()))
    }

    /// Says that nothing is known about this table.
    pub(super) fn unknown(&self) -> String {
        let alike = self.folded.iter().position(|name| {
            ["mail", "address", "smtp", "adresse", "correo", "recipient"]
                .iter()
                .any(|part| name.contains(part))
        });
        let has = self.shown();
        match alike {
            Some(column) => format!(
                "this is no export that Postern knows; the header has {has}: write which columns hold addresses: \
                 `columns = {{ addresses = [\"{}\"] }}`",
                self.name(column)
            ),
            None => format!(
                "no column looks as if it held addresses; the header has {has}: write which do: \
                 `columns = {{ addresses = [\"Email\"] }}`, and `delimiter` if the columns were not told apart"
            ),
        }
    }

    /// The names for a message.
    fn shown(&self) -> String {
        let short = |name: &str| -> String {
            let mut shown: String = name.escape_debug().take(60).collect();
            if name.chars().count() > 60 {
                shown.push('…');
            }
            format!("`{shown}`")
        };
        let mut shown: Vec<String> = self.written.iter().take(SHOWN).map(|name| short(name)).collect();
        if self.len() > SHOWN {
            shown.push(format!("{} more", self.len() - SHOWN));
        }
        match shown.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
            None => "nothing".to_owned(),
        }
    }
}
