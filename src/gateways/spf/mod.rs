// SPDX-License-Identifier: GPL-3.0-or-later
//! The addresses that an SPF name passes: those for which `include:NAME` matches (RFC 7208 5.2).
//!
//! [`expand`] gives all of them, in the order of the terms, so that what an earlier `-`, `~` or `?` term takes is not
//! given back by a later one. What depends on more of the client than its address, or on each address alone
//! (`exists`, most macros), cannot be enumerated: the name is then also to be asked about each client, by [`Live`].
//!
//! Limits are those of RFC 7208 4.6.4: ten terms that ask DNS, two that find nothing, ten hosts in one `mx`; and
//! our own: 4096 networks, no IPv4 network wider than /8 and no IPv6 network wider than /19. An address look-up finds
//! nothing when the name has neither A nor AAAA; one for a name that is another for each client does not count. `ptr` and the macro `p` never match (RFC 7208 5.5); explanations are not read.

mod growth;
mod live;
mod lookup;
mod outcome;
mod record;
mod target;
mod tree;

pub use live::Live;

use super::{Published, SourceError};
use crate::dns::Dns;
use crate::policy::LiveName;
use std::time::Duration;
use target::Target;
use viaspf::record::Mechanism;

/// Terms that ask DNS, in one tree (RFC 7208 4.6.4).
const MAX_TERMS: usize = 10;
/// Look-ups that find nothing, in one tree (RFC 7208 4.6.4).
const MAX_VOID: usize = 2;
/// Hosts of one `mx` (RFC 7208 4.6.4).
const MAX_HOSTS: usize = 10;
/// Networks of one name.
const MAX_NETWORKS: usize = 4096;
/// The shortest prefixes that a gateway can have, in bits.
const MIN_PREFIX: (u8, u8) = (8, 19);
/// How long it may be kept that a name can only be asked about one client.
const STATIC: Duration = Duration::from_secs(24 * 3600);

/// Finds what a name passes now: a name as it stands behind `include:`, without that. Questions of one depth are put at
/// once. Nothing partial is ever given: where anything cannot be had, nothing is.
///
/// A name that brings `exists:` with it is one that every client has another of, and is never enumerated.
pub async fn expand(dns: &impl Dns, name: &str) -> Result<Published, SourceError> {
    let wrong = |why: &str| SourceError::Wrong(format!("{name}: {why}"));
    let spec = match record::own_term(name) {
        Some(Mechanism::Include(include)) => include.domain_spec,
        Some(Mechanism::Exists(exists)) if target::has_address(&exists.domain_spec) => {
            return Ok(per_client(name));
        }
        Some(Mechanism::Exists(_)) => return Err(wrong("is the same for every client")),
        _ => return Err(wrong("not a name that could stand behind include:")),
    };
    match target::expand(&spec, None) {
        Target::Name(root) => {
            let tree = growth::grow(dns, root).await?;
            outcome::publish(&tree, LiveName::new(name))
        }
        Target::PerClient => Ok(per_client(name)),
        Target::Malformed(name) => Err(SourceError::Wrong(format!("{name}: not a name that DNS could have"))),
        Target::Forbidden => {
            Err(SourceError::Wrong(format!("{name}: the macros c, r and t are for explanations only")))
        }
    }
}

/// A name that can only be asked about one client.
fn per_client(name: &str) -> Published {
    Published {
        live: vec![LiveName::new(name)],
        ttl: STATIC,
        notes: vec![format!("{name} is another name for each client, and is asked live")],
        ..Published::default()
    }
}
