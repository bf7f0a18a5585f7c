// SPDX-License-Identifier: GPL-3.0-or-later
//! Policy: pure functions from facts to a verdict. No clock, no log, no I/O, no async; the gate calls, records and counts.
//!
//! [`Policy`] is one immutable picture of everything that a decision needs. [`recipient`] decides about one
//! recipient at RCPT, [`headers`] about a message whose headers are known, in the order that `README.md` gives; [`questions`] and
//! [`behind`] say what the network has to be asked before, and [`ending`] what both come to for a message with several recipients.

mod decide;
mod decision;
mod directory;
mod existence;
mod factor;
mod finding;
mod gateway;
mod learned;
mod membership;
mod message;
mod outside;
mod reason;
mod recipients;
mod replies;
mod reputation;
mod routing;
mod rule;
mod rules;
mod scan;
mod server;
mod source;
mod spelling;
mod verdict;
mod vouched;

pub use decide::{behind, destination, headers, overdue, questions, recipient, without_headers};
pub use decision::Decision;
pub use directory::{Directories, Directory, DirectoryId, Recipients, Unready};
pub use existence::existence;
pub use factor::{ByAddress, ByCertificate, ByHeader, Shown};
pub use finding::{Answer, Check, Finding};
pub use gateway::{Addresses, Gateway, GatewayId, Gateways, HeaderFactor, LiveName, Require};
pub use learned::{Learned, learned};
pub use message::{Ending, Marks, Sharing, Steering, ending, parted, too_many};
pub use outside::{Answers, Listing, Listings, Questions, ReverseName};
pub use reason::Reason;
pub use recipients::{RecipientMode, RecipientRules, Strip};
pub use replies::Replies;
pub use reputation::{Reputation, ReverseRule, Weighed};
pub use routing::{Explained, GroupName, Route, Routed, Unrouted, explain_route, route, route_of_all};
pub use rule::{Entry, Rule, Spelling};
pub use rules::{DomainPolicy, Internal, LoopRule, Policy, Source, Unlisted, Verdicts};
pub use scan::{OnReturn, OnScannerDown, ScanRule, Sign, Tokens, to_sign};
pub use server::{Server, ServerId, Servers, TlsWish};
pub use verdict::{Mode, Verdict};
pub use vouched::{Vouched, unvouched, vouched};

#[cfg(test)]
mod tests;
