// SPDX-License-Identifier: GPL-3.0-or-later
//! From text to the types of a file, with every error on the way.
//!
//! Serde stops at the first error. So each one is recorded, the value or key at fault is taken out of the tree, and
//! the rest is read again until it fits. What was taken out is remembered: nobody shall then be told that it is missing.

use super::text::Text;
use super::{Problem, Problems, syntax, wording};
use serde::de::DeserializeOwned;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

/// Errors of type that are looked for. A file with more has another trouble.
const MAX_ERRORS: usize = 300;
/// Stands in a path for an element of a list.
pub(super) const ELEMENT: &str = "[]";

/// What could be read of the text.
pub(super) struct Tree<T> {
    /// The readable part.
    pub(super) file: T,
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
        self.any(|lost| lost.iter().zip(path).all(|(lost, key)| lost == key))
    }

    /// Whether this key may have been taken out of some domain, or a whole domain.
    pub(super) fn in_a_domain(&self, key: &str) -> bool {
        self.any(|lost| match lost {
            [top, _, own, ..] => top == "domain" && own == key,
            [top, ..] => top == "domain",
            [] => true,
        })
    }

    /// Whether one of these keys was taken out of some table.
    pub(super) fn ends_in(&self, keys: &[&str]) -> bool {
        self.any(|lost| lost.last().is_some_and(|last| keys.contains(&last.as_str())))
    }

    fn any(&self, hides: impl Fn(&[String]) -> bool) -> bool {
        self.anything || self.paths.iter().any(|lost| hides(lost))
    }
}

/// Reads the text; nothing when its syntax leaves too little to go on with.
pub(super) fn read<T: DeserializeOwned>(text: &Text, problems: &mut Problems) -> Option<Tree<T>> {
    let mended = syntax::mend(text, problems)?;
    let mut root = DeTable::parse(&mended.content).ok()?;
    let mut lost = Lost { paths: Vec::new(), anything: mended.broken };
    for _ in 0..MAX_ERRORS {
        let error = match T::deserialize(Deserializer::from(root.clone())) {
            Ok(file) => return Some(Tree { file, lost }),
            Err(error) => error,
        };
        lost.paths.push(report(text, root.get_mut(), &error, problems)?);
    }
    problems.push(text.more());
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
    let Some(taken) = take_out(root, &span, &mut path) else {
        problems.push(Problem::error(place, wording::plain(error.message())));
        return None;
    };
    if wording::is_unquoted_domain(&path, &taken) {
        // The table around it is there for nothing else.
        problems.push(wording::unquoted_domain(place, &path, &taken));
        path.pop();
        remove_if_empty(root, &path);
    } else {
        problems.push(wording::problem(place, error.message(), &path, &taken));
    }
    Some(path)
}

/// Removes the table at the end of a path when nothing is in it.
fn remove_if_empty(table: &mut DeTable<'_>, path: &[String]) {
    let [key, rest @ ..] = path else { return };
    let Some(DeValue::Table(inner)) = table.get_mut(key.as_str()).map(Spanned::get_mut) else { return };
    if !rest.is_empty() {
        remove_if_empty(inner, rest);
    } else if inner.is_empty() {
        table.remove(key.as_str());
    }
}

/// Takes what stands at `span` out of the tree and leaves the way to it in `path`: an entry by its key or value, or an
/// element of a list.
fn take_out<'i>(table: &mut DeTable<'i>, span: &Range<usize>, path: &mut Vec<String>) -> Option<DeValue<'i>> {
    let hit = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    if let Some((key, _)) = hit {
        let key = key.get_ref().to_string();
        let value = table.remove(key.as_str()).map(Spanned::into_inner);
        path.push(key);
        return value;
    }
    for (key, value) in table.iter_mut() {
        path.push(key.get_ref().to_string());
        let taken = match value.get_mut() {
            DeValue::Table(inner) => take_out(inner, span, path),
            DeValue::Array(list) => take_out_of_list(list, span, path),
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
    span: &Range<usize>,
    path: &mut Vec<String>,
) -> Option<DeValue<'i>> {
    let Some(hit) = list.iter().position(|value| value.span() == *span) else {
        path.push(ELEMENT.to_owned());
        for value in list.iter_mut() {
            if let DeValue::Table(inner) = value.get_mut()
                && let Some(taken) = take_out(inner, span, path)
            {
                return Some(taken);
            }
        }
        path.pop();
        return None;
    };
    let mut taken = None;
    let all = std::mem::replace(list, DeArray::new());
    for (at, value) in all.into_iter().enumerate() {
        if at == hit {
            taken = Some(value.into_inner());
        } else {
            list.push(value);
        }
    }
    path.push(ELEMENT.to_owned());
    taken
}
