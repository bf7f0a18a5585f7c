// SPDX-License-Identifier: GPL-3.0-or-later
//! The table `domain`: which domains are ours (`relay_domains`). Inactive ones are ours, too.

use super::key::Key;
use super::{Answer, Found, Why};
use crate::policy::Policy;
use std::sync::Arc;

pub(super) fn find(policy: &Policy, key: &[u8]) -> Found {
    let domain = match Key::parse(key) {
        Key::Domain(domain) => domain,
        // Access tables of Sendmail and policies of one's own ask for whole addresses.
        Key::Mailbox(mailbox) => match mailbox.domain() {
            Some(domain) => domain.clone(),
            None => return Found::new(Answer::NotFound, Why::NoSuchKey),
        },
        Key::Other => return Found::new(Answer::NotFound, Why::NoSuchKey),
    };
    match policy.domains().find(&domain) {
        Some(own) => Found::new(Answer::Found(own.pattern.to_string().into()), Why::Listed(Arc::clone(own))),
        None => Found::new(Answer::NotFound, Why::Unlisted),
    }
}
