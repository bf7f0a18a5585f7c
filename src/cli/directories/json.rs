// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories as JSON: everything that the text says, under names that stay. Moments are seconds since 1970.

use super::list::Standing;
use crate::directories::{Meta, State};
use crate::store::Stamp;
use serde::Serialize;

/// A directory.
#[derive(Serialize)]
pub(super) struct DirectoryJson<'a> {
    name: &'a str,
    kind: &'static str,
    /// Whether there are snapshots of it.
    synced: bool,
    /// How many addresses are in force; nothing where none is known.
    addresses: Option<u64>,
    /// How old what is in force is, in seconds: since then the source has not confirmed it.
    age: Option<u64>,
    overdue: bool,
    /// Why it cannot be read at all.
    unreadable: Option<&'a str>,
    /// How its syncs went.
    state: Option<serde_json::Value>,
    /// What the snapshot in force says of itself.
    snapshot: Option<&'a Meta>,
}

impl<'a> DirectoryJson<'a> {
    /// How one stands.
    pub(super) fn of(standing: &'a Standing<'a>, now: Stamp) -> Self {
        let Standing { directory, kept, listed } = standing;
        let (state, snapshot, unreadable) = match kept {
            Some(Ok((state, meta))) => (Some(state), meta.as_ref(), None::<&str>),
            Some(Err(error)) => (None, None, Some(error.as_str())),
            None => {
                (None, None, listed.as_ref().and_then(|listed| listed.as_ref().err()).map(String::as_str))
            }
        };
        let listed = listed.as_ref().and_then(|listed| listed.as_ref().ok()).copied();
        Self {
            name: &directory.name,
            kind: directory.source.kind(),
            synced: directory.is_synced(),
            addresses: snapshot.map(|meta| meta.addresses).or(listed),
            age: state.and_then(|state| state.as_of).map(|as_of| now.since(as_of).as_secs()),
            overdue: standing.is_overdue(now),
            unreadable,
            state: state.map(shown),
            snapshot,
        }
    }
}

/// A state without what is nobody's business but the source's.
fn shown(state: &State) -> serde_json::Value {
    let mut shown = serde_json::to_value(state).unwrap_or_default();
    if let Some(pending) = shown.get_mut("pending") {
        strip(pending);
    }
    strip(&mut shown);
    shown
}

fn strip(value: &mut serde_json::Value) {
    if let Some(object) = value.as_object_mut() {
        object.remove("cookie");
        object.remove("question");
    }
}
