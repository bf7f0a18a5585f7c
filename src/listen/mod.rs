// SPDX-License-Identifier: GPL-3.0-or-later
//! The threshold that all doors stand on: sockets to listen on, the limit of connections, accepting and draining.
//!
//! A door gets streams from here and knows nothing of how they came.

mod accept;
mod drain;
mod socket;
mod stream;

pub use accept::{Admission, Admitted, accept_loop};
pub use drain::{Drain, Draining};
pub use socket::{BindError, BoundSocket, Inherited, Socket};
pub use stream::{Peer, Stream};
