// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: the keys of scan tokens and the tokens that have been used, below `state_dir/scan`.
//!
//! `keys.json` holds keys that are made here; it is its owner's alone to read. `spent` holds what the gate remembers of
//! used tokens, 16 octets each. Both are whole or not there (see `store`).

mod ring;
mod spent;

pub use ring::{KeyRing, NoRandom};
pub use spent::{read_spent, write_spent};

use crate::store::Store;
use std::path::Path;

fn store(state_dir: &Path) -> Store {
    Store::new(state_dir).below("scan")
}
