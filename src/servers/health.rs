// SPDX-License-Identifier: GPL-3.0-or-later
//! What is known of a host's health, and the order of a server's hosts that follows from it.
//!
//! A host steps back behind the others after [`FAILURES`] looks in a row at which it took no mail, and one look at which it
//! does brings it back. TLS that is not as is wished moves nobody: the MTA keeps the mail by its own check. A look that
//! found out nothing, because names could not be asked for, changes nothing.

use super::probe::Looked;
use crate::mail::NextHop;
use std::time::SystemTime;

/// Failed looks in a row after which a host steps back.
pub const FAILURES: u32 = 2;

/// What is known of a host.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostState {
    /// Whether it takes mail.
    pub standing: Standing,
    /// Failed looks in a row.
    pub failures: u32,
    /// When it was last looked at.
    pub looked: Option<SystemTime>,
    /// What came of that, in words.
    pub text: String,
    /// Since when TLS is not as is wished, where that is so.
    pub trouble: Option<Trouble>,
}

/// Whether a host takes mail.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Standing {
    /// Nobody knows yet.
    #[default]
    Unknown,
    /// It does, since this first look that saw it.
    Takes(SystemTime),
    /// It does not, and stands behind those that do since then.
    Back(SystemTime),
}

/// TLS that is not as is wished.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// One word for it.
    pub kind: &'static str,
    /// In words.
    pub text: String,
    /// Since when.
    pub since: SystemTime,
}

/// What has changed by a look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// It steps back.
    Back,
    /// It takes mail again.
    Returned,
    /// TLS is not as is wished; the same is not told twice.
    Trouble,
    /// TLS is as is wished again.
    TroubleOver,
}

impl HostState {
    /// Whether it stands behind those that take mail.
    pub fn is_back(&self) -> bool {
        match self.standing {
            Standing::Unknown | Standing::Takes(_) => false,
            Standing::Back(_) => true,
        }
    }

    /// Takes in what a look found, and says what has changed.
    pub(super) fn take(&mut self, looked: &Looked, now: SystemTime) -> Vec<Change> {
        self.looked = Some(now);
        self.text = looked.decisive().map(ToString::to_string).unwrap_or_default();
        let mut changes = Vec::new();
        match looked.takes_mail() {
            None => {}
            Some(false) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES && !self.is_back() {
                    self.standing = Standing::Back(now);
                    changes.push(Change::Back);
                }
            }
            Some(true) => {
                self.failures = 0;
                match self.standing {
                    Standing::Takes(_) => {}
                    Standing::Unknown => self.standing = Standing::Takes(now),
                    Standing::Back(_) => {
                        self.standing = Standing::Takes(now);
                        changes.push(Change::Returned);
                    }
                }
                changes.extend(self.take_trouble(looked, now));
            }
        }
        changes
    }

    fn take_trouble(&mut self, looked: &Looked, now: SystemTime) -> Option<Change> {
        let Some(found) = looked.tls_trouble() else {
            return self.trouble.take().map(|_| Change::TroubleOver);
        };
        let text = found.to_string();
        match &mut self.trouble {
            // What a host says with it may differ every time.
            Some(known) if known.kind == found.as_str() => {
                known.text = text;
                None
            }
            known => {
                *known = Some(Trouble { kind: found.as_str(), text, since: now });
                Some(Change::Trouble)
            }
        }
    }
}

/// The order of a server's hosts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arranged {
    /// All of them.
    pub hosts: Box<[NextHop]>,
    /// Whether none takes mail.
    pub down: bool,
}

/// Those that step back behind the others, both in the order that is configured. Where all would step back, none does.
pub fn arrange(hosts: &[NextHop], is_back: impl Fn(&NextHop) -> bool) -> Arranged {
    let (back, front): (Vec<&NextHop>, Vec<&NextHop>) = hosts.iter().partition(|hop| is_back(hop));
    let down = front.is_empty() && !back.is_empty();
    Arranged { hosts: front.into_iter().chain(back).cloned().collect(), down }
}

#[cfg(test)]
mod tests;
