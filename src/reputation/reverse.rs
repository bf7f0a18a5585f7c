// SPDX-License-Identifier: GPL-3.0-or-later
//! The name that an address points to, and whether it points back (RFC 8601 2.7.3, `iprev`).
//!
//! At most ten names are looked at (RFC 7208 4.6.4), all at once; one that points back is enough. What is no host name
//! counts as none. All of it may take [`LIMIT`].

use super::{FAILURE, kept_for};
use crate::dns::{Dns, DnsError, Records};
use crate::mail::Domain;
use crate::policy::ReverseName;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Names that are looked at.
const MAX_NAMES: usize = 10;
/// How long all questions may take together, below what the gate gives them.
const LIMIT: Duration = Duration::from_millis(3500);

/// Asks for the name, and says how long the answer is kept.
pub(super) async fn ask(dns: &impl Dns, client: IpAddr) -> (ReverseName, Duration) {
    let deadline = Instant::now() + LIMIT;
    let Ok(Ok(Records { found, exists: _, ttl, validated: _ })) =
        timeout_at(deadline, dns.names(client)).await
    else {
        return (ReverseName::Unknown, FAILURE);
    };
    let mut names: Vec<Domain> = Vec::new();
    for name in found.iter().take(MAX_NAMES).filter_map(|name| Domain::parse(name).ok()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let Some(first) = names.first() else { return (ReverseName::Missing, kept_for(ttl)) };
    let mut forward: FuturesUnordered<_> =
        names.iter().map(|name| async move { (name, points_to(dns, name, client).await) }).collect();
    let (mut ttl, mut all_told) = (ttl, true);
    while let Ok(told) = timeout_at(deadline, forward.next()).await {
        match told {
            Some((name, Ok((true, own)))) => {
                return (ReverseName::Confirmed(name.as_str().into()), kept_for(ttl.min(own)));
            }
            Some((_, Ok((false, own)))) => ttl = ttl.min(own),
            // Another name may still point back.
            Some((_, Err(_))) => all_told = false,
            None if all_told => return (ReverseName::Unconfirmed(first.as_str().into()), kept_for(ttl)),
            None => break,
        }
    }
    (ReverseName::Unknown, FAILURE)
}

/// Whether a name has the client's address, and how long that may be kept.
async fn points_to(dns: &impl Dns, name: &Domain, client: IpAddr) -> Result<(bool, Duration), DnsError> {
    Ok(match client {
        IpAddr::V4(v4) => {
            let records = dns.ipv4(name.as_str()).await?;
            (records.found.contains(&v4), records.ttl)
        }
        IpAddr::V6(v6) => {
            let records = dns.ipv6(name.as_str()).await?;
            (records.found.contains(&v6), records.ttl)
        }
    })
}
