// SPDX-License-Identifier: GPL-3.0-or-later
//! What may not happen by itself: that many are gone at once, or all of them, or all of one domain, or of a group that
//! decides where mail goes.

use super::contents::{Contents, Served};
use super::intake::exceeds;
use crate::config::SyncRules;
use crate::directories::snapshot::{Meta, Snapshot, SnapshotError, Wide};
use crate::mail::{Domain, DomainPattern};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// What is left and what is gone.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) contents: &'a Contents,
    /// Addresses that are gone.
    pub(super) removed: u64,
    /// Keys of groups, in lower case.
    pub(super) groups: &'a HashSet<String>,
    /// Groups that routing rules name and that nobody is in any more: somebody may have called them otherwise, and mail would
    /// go elsewhere, or nowhere.
    pub(super) emptied: &'a [Emptied],
}

/// A group that routing rules name and that nobody is in any more.
pub(super) struct Emptied {
    name: Arc<str>,
    before: u64,
}

impl Emptied {
    /// Whether that has to be accepted.
    pub(super) fn holds(&self) -> bool {
        self.before >= SyncRules::ALWAYS
    }
}

impl fmt::Display for Emptied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, before } = self;
        write!(f, "group {name:?}, which a route names, had {before} members and has none")
    }
}

/// The groups that had members and have none; `members` is how many there are now, in the order of [`SyncRules::groups`].
pub(super) fn emptied(
    old: &Snapshot,
    rules: &SyncRules,
    members: &[u64],
) -> Result<Vec<Emptied>, SnapshotError> {
    let mut before = vec![0u64; rules.groups.len()];
    for placed in old.placed_groups()? {
        let group = placed?.group;
        for index in group.called(&rules.groups) {
            if let Some(before) = before.get_mut(index) {
                *before += group.members;
            }
        }
    }
    let all = rules.groups.iter().zip(before).zip(members);
    let emptied = all.filter(|((_, before), now)| *before > 0 && **now == 0);
    Ok(emptied.map(|((name, before), _)| Emptied { name: Arc::clone(name), before }).collect())
}

/// Why a change has to be accepted, a sentence each; none where it may be made.
pub(super) fn judge(
    change: Change<'_>,
    old: &Snapshot,
    max_removed: u8,
) -> Result<Vec<String>, SnapshotError> {
    let Change { contents, removed, groups, emptied } = change;
    let meta = old.meta();
    let mut why = Vec::new();
    let wide = contents.whole_domains.len() + contents.patterns.len();
    if contents.fingerprints.is_empty() && wide == 0 {
        why.push("no recipient is left".to_owned());
        return Ok(why);
    }
    // Who decided that a domain is no longer served has decided about its addresses, too.
    let unserved = unserved(meta, contents.served());
    let is_gone = |wide: &&Wide| {
        wide.gone.is_none()
            && !contents.whole_domains.contains(&wide.text)
            && !contents.patterns.contains(&wide.text)
            && is_served(&wide.text, contents.served())
    };
    let wides = || meta.whole_domains.iter().chain(&meta.patterns);
    let wide_before = wides().filter(|wide| wide.gone.is_none()).count() as u64;
    let removed = (removed.saturating_sub(unserved)) + wides().filter(is_gone).count() as u64;
    let before = (meta.addresses + wide_before).saturating_sub(unserved);
    if removed >= SyncRules::ALWAYS && exceeds(removed, before, max_removed) {
        why.push(format!("{removed} of {before} recipients are gone, more than {max_removed} percent"));
    }
    let (mut before, mut removed) = (0, 0);
    for placed in old.placed_groups()? {
        before += 1;
        removed += u64::from(!groups.contains(&placed?.group.key.to_lowercase()));
    }
    if removed >= SyncRules::ALWAYS && exceeds(removed, before, max_removed) {
        why.push(format!("{removed} of {before} groups are gone, more than {max_removed} percent"));
    }
    why.extend(emptied.iter().filter(|one| one.holds()).map(ToString::to_string));
    for (pattern, before) in meta.served.iter().zip(&meta.by_served) {
        let Ok(now) = contents.served().patterns.binary_search(pattern) else { continue };
        let is_whole = |wide: &Wide| wide.gone.is_none() && *wide.text == **pattern;
        let many = *before >= SyncRules::ALWAYS || meta.whole_domains.iter().any(is_whole);
        if many && contents.by_served.get(now) == Some(&0) {
            why.push(format!("{pattern} had {before} recipients and has none"));
        }
    }
    Ok(why)
}

/// How many addresses were in domains that are no longer served.
fn unserved(meta: &Meta, served: &Served) -> u64 {
    let counts = meta.served.iter().zip(&meta.by_served);
    let gone = counts.filter(|(pattern, _)| match DomainPattern::parse(pattern) {
        Ok(DomainPattern::Exact(domain)) => !served.has(&domain),
        // A name below it that is surely not listed by itself.
        Ok(DomainPattern::Below(domain)) => {
            Domain::parse(&format!("_._.{domain}")).is_ok_and(|below| !served.has(&below))
        }
        Err(_) => false,
    });
    gone.map(|(_, count)| count).sum()
}

/// Whether the domain of a whole domain or of a pattern is still served.
fn is_served(text: &str, served: &Served) -> bool {
    let domain = text.rsplit('@').next().unwrap_or_default();
    Domain::parse(domain).is_ok_and(|domain| served.has(&domain))
}
