// SPDX-License-Identifier: GPL-3.0-or-later
//! Who a client is by its address alone, whatever its mail is for: for tables that an MTA looks up before anyone has named
//! a recipient.
//!
//! A gateway is vouched for where its address is a factor of it; what else it has to show is seen with each message. One
//! that is known by its certificate alone is a stranger here. Names that a client gives itself, or has in the DNS, count for
//! nothing.

use super::{Answer, Answers, Gateway, Policy, Questions, Rule, Shown};
use crate::mail::Client;
use std::net::IpAddr;
use std::sync::Arc;

/// Who a client is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Vouched {
    /// Internal, or a gateway of a listed domain; the rule says which.
    Known(Rule),
    /// Neither.
    Stranger,
    /// Perhaps a gateway of a listed domain; the rule says which.
    Unknown(Rule),
}

/// Who a client with this address is, by what was answered to [`unvouched`].
pub fn vouched(policy: &Policy, address: IpAddr, answers: &Answers) -> Vouched {
    let client = Client { address: Some(address), ..Client::default() };
    if let Some(rule) = policy.internal().find(&client) {
        return Vouched::Known(rule);
    }
    let mut unknown = None;
    for gateway in policy.gateways_in_use() {
        let shown = by_address(gateway, &client, answers);
        let name = || Arc::clone(&gateway.name);
        match shown.address_answer() {
            Some(Answer::Yes) => return Vouched::Known(Rule::Gateway { gateway: name(), shown }),
            Some(Answer::Unknown) if unknown.is_none() => {
                unknown = Some(Rule::MayBeGateway { gateway: name(), shown });
            }
            Some(Answer::Unknown | Answer::No) | None => {}
        }
    }
    unknown.map_or(Vouched::Stranger, Vouched::Unknown)
}

/// Live names that have to be asked first; nothing where it can be told without.
pub fn unvouched(policy: &Policy, address: IpAddr, answers: &Answers) -> Option<Questions> {
    if !policy.asks() || vouched_already(policy, address, answers) {
        return None;
    }
    let client = Client { address: Some(address), ..Client::default() };
    let mut live = Vec::new();
    for gateway in policy.gateways_in_use() {
        if by_address(gateway, &client, answers).waits_for_name() {
            for name in gateway.addresses.iter().flat_map(|addresses| &addresses.live) {
                if !live.contains(name) {
                    live.push(name.clone());
                }
            }
        }
    }
    (!live.is_empty()).then_some(Questions { client: address, live, listings: false, reverse: false })
}

fn vouched_already(policy: &Policy, address: IpAddr, answers: &Answers) -> bool {
    match vouched(policy, address, answers) {
        Vouched::Known(_) | Vouched::Stranger => true,
        Vouched::Unknown(_) => false,
    }
}

/// What the client shows of the gateway by its address, where that is looked at.
fn by_address(gateway: &Gateway, client: &Client, answers: &Answers) -> Shown {
    Shown { certificate: None, header: None, ..Shown::of(gateway, client, answers) }
}
