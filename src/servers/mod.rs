// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: whether the hosts of mailbox servers take mail.
//!
//! A look speaks SMTP with a host as far as is possible without beginning a message. One look is put by a command; a keeper
//! looks again and again while Postern serves, and hosts that take no mail step back behind those that do. Nothing on a
//! message's way waits for any of it, and no mail is ever sent from here.

mod health;
mod keeper;
mod probe;

pub use health::{Arranged, FAILURES, HostState, Standing, Trouble, arrange};
pub use keeper::{Keeper, Look, States, Watched, shortest};
pub use probe::{CertificateFault, Looked, Names, Outcome, Patience, Probe, Said, Spoken, Step, Tls, Visit};
