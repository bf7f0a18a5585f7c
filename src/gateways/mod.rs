// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: who may hand us mail, from the configuration and the files it names, and from what providers publish.
//!
//! A network file has one network or address a line; `#` begins a comment, also behind a network. A malformed line
//! refuses the whole file. What is published (SPF names, hosts, feeds) is asked for again and again while Postern runs: the
//! [`Plan`] says which gateway is made of what, [`merge`] what an answer does to the [`Snapshot`] of its source, the
//! [`Keeper`] asks in time, and the [`Archive`] keeps the last good sets for the next start.

mod archive;
mod ask;
mod extent;
mod feed;
mod fetch;
pub mod hosts;
mod keeper;
mod measure;
mod merge;
mod plan;
mod refresh;
mod schedule;
mod snapshot;
mod source;
pub mod spf;
#[cfg(test)]
mod stage;
mod status;
mod stock;

pub use crate::store::Stamp;
pub use archive::{Archive, Snapshots};
pub use ask::Asker;
pub use feed::{Limits, Reader};
pub use fetch::{Fetch, Fetched, Validators};
pub use keeper::Keeper;
pub use merge::{Event, merge};
pub use plan::{Composed, Plan, Planned, Use};
pub use refresh::{Answered, Order, Refreshed, ask_anew, refresh_now};
pub use snapshot::{Change, Entry, Held, Item, Snapshot, Trouble};
pub use source::{Published, PublishedNetwork, SourceError, kind, label};

pub use status::{GatewayStatus, NetworkStatus, Origin, SourceStatus, status};
pub use stock::{Clock, Stock};
