// SPDX-License-Identifier: GPL-3.0-or-later
//! The milter door: Postfix and Sendmail tell of each session, and are told what to do with each recipient and message.
//!
//! The wire codec is indymilter's (`indymilter::message`); the session is our own. Its parts, in the order in which an
//! MTA meets them: `connection` and `frame` read packets under caps and deadlines; [`Terms`] are negotiated; `session` is the state
//! machine; `macros` and `facts` turn packets into mail's own types; `transaction` holds one message's recipients and
//! decides what is edited at its end, `steering` how a message is brought to a scanner; `answer` writes replies. [`Mta`] is the other side, for `postern try --live` and tests.

mod answer;
mod connection;
mod facts;
mod frame;
mod macros;
mod mta;
mod removal;
mod session;
mod steering;
mod terms;
mod transaction;

pub use connection::{DECISION_LIMIT, FRAME_LIMIT, IDLE_LIMIT, NEGOTIATION_LIMIT, WRITE_LIMIT, serve};
pub use mta::{Exchange, Mta, MtaError, Offer};
pub use session::{Flow, Garbage, Session};
pub use steering::via;
pub use terms::{Needs, Terms};
