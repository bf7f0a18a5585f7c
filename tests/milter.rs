// SPDX-License-Identifier: GPL-3.0-or-later
//! The milter door, spoken to packet by packet: what is negotiated, what each packet is answered, what a message's end
//! edits, and what happens to peers that are slow, silent, hostile or gone.

#[path = "milter/limits.rs"]
mod limits;
#[path = "milter/messages.rs"]
mod messages;
#[path = "milter/order.rs"]
mod order;
#[path = "milter/support.rs"]
mod support;
