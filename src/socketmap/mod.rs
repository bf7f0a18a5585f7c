// SPDX-License-Identifier: GPL-3.0-or-later
//! The door for look-ups in tables (`socketmap_table(5)`, Sendmail's `socket` maps): a table's name and a key come in, a value
//! goes out.
//!
//! | table | key | value |
//! |---|---|---|
//! | `recipient` | an address, or `@domain` | `exists` |
//! | `transport` | an address, or a domain | where its mail goes, as Postfix writes it |
//! | `mailertable` | the same | the same as Sendmail writes it |
//! | `domain` | a domain | the name that it is listed under |
//! | `access`, `postscreen` | a client's address | `permit` |
//! | `tls` | a next hop as Postfix writes it | what the connection must be |
//!
//! An MTA that was told "not found" refuses, or sends mail elsewhere: so what is not known is always answered with `TEMP`, and
//! nothing is "not found" that the domain's mode would not have refused. MTAs ask whole keys; what is above a domain is looked
//! for here. Each request is answered by the policy that is in force when it comes.

mod access;
mod answer;
mod connection;
mod domain;
mod key;
mod netstring;
mod recipient;
mod request;
mod tls;
mod transport;

pub use answer::{Answer, Found, Why};
pub use connection::{IDLE_LIMIT, REQUEST_LIMIT, WRITE_LIMIT, serve};
pub use netstring::MAX_REQUEST;
pub use request::Request;
pub use transport::mailer;

use crate::gate::{Judge, Patience, Table};
use crate::policy::Policy;

/// Looks a key up. Only the table `access` may wait, for seconds.
pub async fn look_up<J: Judge>(judge: &J, policy: &Policy, request: Request<'_>) -> Found {
    let Request { table, key } = request;
    let Some(key) = key else { return Found::new(Answer::Perm("the request has no key"), Why::NoKey) };
    match table {
        Table::Recipient => recipient::find(policy, key),
        Table::Transport => transport::find(policy, key),
        Table::Mailertable => transport::find_mailer(policy, key),
        Table::Domain => domain::find(policy, key),
        Table::Access | Table::Postscreen => match access::client(key) {
            None => Found::new(Answer::NotFound, Why::NoAddress),
            Some(client) => {
                let patience = if table == Table::Access { Patience::Waits } else { Patience::None };
                access::answer(judge.vouched(policy, client, patience).await)
            }
        },
        Table::Tls => tls::find(policy, key),
        Table::Unknown => Found::new(Answer::Perm("there is no table of this name"), Why::NoTable),
    }
}
