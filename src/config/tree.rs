// SPDX-License-Identifier: GPL-3.0-or-later
//! From text to the types of [`File`], with every error on the way.
//!
//! Serde stops at the first error. So each one is recorded, the value or key at fault is taken out of the tree, and
//! the rest is read again until it fits. What was taken out is remembered: nobody shall then be told that it is missing.

use super::file::File;
use super::text::Text;
use super::{Problem, Problems, syntax, wording};
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

/// Errors of type that are looked for. A file with more has another trouble.
const MAX_ERRORS: usize = 300;
/// Stands in a path for an element of a list.
pub(super) const ELEMENT: &str = "[]";

/// What could be read of the text.
pub(super) struct Tree {
    /// The readable part.
    pub(super) file: File,
    /// What was taken out of it.
    pub(super) lost: Lost,
}

/// What could not be read.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Keys from the top to what was taken out.
    paths: Vec<Vec<String>>,
    /// A syntax error may hide anything.
    pub(super) anything: bool,
}

impl Lost {
    /// Whether something at, above or below these keys was taken out.
    pub(super) fn touches(&self, path: &[&str]) -> bool {
        self.anything || self.paths.iter().any(|lost| lost.iter().zip(path).all(|(lost, key)| lost == key))
    }
}

/// Reads the text; nothing when its syntax leaves too little to go on with.
pub(super) fn read(text: &Text, problems: &mut Problems) -> Option<Tree> {
    let (mut root, errors) = DeTable::parse_recoverable(text.as_str());
    let mut lost = Lost { paths: Vec::new(), anything: !errors.is_empty() };
    let usable = syntax::report(text, &errors, problems);
    if !usable {
        return None;
    }
    for error in &errors {
        if let Some(span) = error.span() {
            // The parser puts something in the place of what it could not read.
            take_out(root.get_mut(), &|value| touches(value, &span), &mut Vec::new());
        }
    }
    for _ in 0..MAX_ERRORS {
        let error = match File::deserialize(Deserializer::from(root.clone())) {
            Ok(file) => return Some(Tree { file, lost }),
            Err(error) => error,
        };
        let Some(path) = report(text, root.get_mut(), &error, problems) else {
            return None;
        };
        lost.paths.push(path);
    }
    None
}

/// Records an error and takes what it is about out of the tree; nothing when that is not to be found.
fn report(
    text: &Text,
    root: &mut DeTable<'_>,
    error: &Error,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let span = error.span().unwrap_or_default();
    let place = text.place(span.clone());
    let mut path = Vec::new();
    let Some(taken) = take_out(root, &|found| *found.span() == span, &mut path) else {
        problems.push(Problem::error(place, wording::plain(error.message())));
        return None;
    };
    problems.push(wording::problem(place, error.message(), &path, &taken));
    Some(path)
}

/// Something in the tree: an entry by its key, or a value.
pub(super) enum Found<'a, 'i> {
    Key(&'a Range<usize>),
    Value(&'a Range<usize>, &'a DeValue<'i>),
}

impl Found<'_, '_> {
    fn span(&self) -> &Range<usize> {
        match self {
            Self::Key(span) | Self::Value(span, _) => span,
        }
    }
}

/// Whether a syntax error lies in this value. A table goes on without its broken part.
fn touches(found: &Found<'_, '_>, error: &Range<usize>) -> bool {
    match found {
        Found::Key(_) | Found::Value(_, DeValue::Table(_)) => false,
        Found::Value(
            span,
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_),
        ) => span.start <= error.end && error.start <= span.end,
    }
}

/// Takes the first thing that `wanted` says out of the tree, outer before inner, and leaves the way to it in `path`.
fn take_out<'i>(
    table: &mut DeTable<'i>,
    wanted: &impl Fn(&Found<'_, 'i>) -> bool,
    path: &mut Vec<String>,
) -> Option<DeValue<'i>> {
    let hit = table.iter().find(|(key, value)| {
        wanted(&Found::Key(&key.span())) || wanted(&Found::Value(&value.span(), value.get_ref()))
    });
    if let Some((key, _)) = hit {
        let key = key.get_ref().to_string();
        let value = table.remove(key.as_str()).map(Spanned::into_inner);
        path.push(key);
        return value;
    }
    for (key, value) in table.iter_mut() {
        path.push(key.get_ref().to_string());
        let taken = match value.get_mut() {
            DeValue::Table(inner) => take_out(inner, wanted, path),
            DeValue::Array(list) => take_out_of_list(list, wanted, path),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => None,
        };
        if taken.is_some() {
            return taken;
        }
        path.pop();
    }
    None
}

fn take_out_of_list<'i>(
    list: &mut DeArray<'i>,
    wanted: &impl Fn(&Found<'_, 'i>) -> bool,
    path: &mut Vec<String>,
) -> Option<DeValue<'i>> {
    let hit = list.iter().position(|value| wanted(&Found::Value(&value.span(), value.get_ref())));
    let mut taken = None;
    path.push(ELEMENT.to_owned());
    if let Some(hit) = hit {
        let rest = std::mem::replace(list, DeArray::new()).into_iter().enumerate();
        *list = rest
            .filter_map(|(at, value)| {
                if at == hit {
                    taken = Some(value.into_inner());
                    return None;
                }
                Some(value)
            })
            .collect();
        return taken;
    }
    for value in list.iter_mut() {
        if let DeValue::Table(inner) = value.get_mut()
            && let Some(taken) = take_out(inner, wanted, path)
        {
            return Some(taken);
        }
    }
    path.pop();
    None
}
