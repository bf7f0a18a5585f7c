// SPDX-License-Identifier: GPL-3.0-or-later
//! Which unknown recipients are recorded: those that a domain learns, of messages that came through its gateway.
//!
//! Where the gateway is known by a header line as well, that is only certain at the end of the headers.

use super::{Answer, Check, Decision, Rule, Verdict, source};
use crate::mail::HeaderFacts;
use std::sync::Arc;

/// A recipient to record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Learned {
    /// Its address.
    pub address: Arc<str>,
    /// The gateway that the message came through; nothing where any client may deliver.
    pub gateway: Option<Arc<str>>,
}

/// What a decision about a recipient has to record at RCPT; with `headers`, what it has to record at their end, and had
/// not at RCPT. Nothing that is refused, held or discarded is recorded, nor what did not pass the source check.
pub fn learned(decision: &Decision, headers: Option<&HeaderFacts>) -> Option<Learned> {
    let address = decision.findings.iter().find_map(|finding| {
        let Rule::Learned { address } = &finding.rule else { return None };
        Some(address)
    })?;
    let by_source = decision.findings.iter().find(|finding| finding.check == Check::Source)?;
    if decision.verdict > Verdict::Tag || by_source.answer != Answer::Yes {
        return None;
    }
    let gateway = match (source::awaits(&decision.candidates), headers) {
        (false, None) => {
            if let Rule::Gateway { gateway, .. } = &by_source.rule {
                Some(Arc::clone(gateway))
            } else {
                None
            }
        }
        (true, Some(headers)) => {
            let (gateway, _) = source::settle(decision.domain.as_ref()?, &decision.candidates, headers);
            Some(Arc::clone(&gateway?.name))
        }
        (false, Some(_)) | (true, None) => return None,
    };
    Some(Learned { address: Arc::clone(address), gateway })
}
