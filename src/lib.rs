// SPDX-License-Identifier: GPL-3.0-or-later
//! Postern guards the back gate of a mail server: for every message that Postfix or Sendmail
//! receives it says whether the message came through the gateway that the recipient's domain
//! uses, whether the recipient exists, and whether the message has been here before.
//!
//! The crate is one house with floors; a room imports from lower floors only, and
//! `tests/house.rs` holds that. From the ground up:
//!
//! - [`mail`]: mail's own types (address, domain, client, header, reply, network set);
//! - [`policy`]: pure functions from those values to a verdict;
//! - [`config`]: the configuration file as checked values, and every problem in it;
//! - [`gate`]: holds the policy now in force, decides, records, counts;
//! - [`dns`], [`https`], [`store`]: names and servers that are asked, files that are kept; [`listen`]: the sockets that doors
//!   stand on;
//! - [`gateways`], [`directories`], [`reputation`], [`servers`]: what is known from outside about gateways, recipients, other
//!   clients and next hops;
//! - [`tokens`]: what mail is signed with that goes through a scanning gateway;
//! - [`milter`], [`policyd`], [`socketmap`]: the doors, one for each protocol in which MTAs ask;
//! - [`cli`]: the commands, and the service that wires the rooms together.

pub mod cli;
pub mod config;
pub mod directories;
pub mod dns;
pub mod gate;
pub mod gateways;
pub mod https;
pub mod listen;
pub mod mail;
pub mod milter;
pub mod policy;
pub mod policyd;
pub mod reputation;
pub mod servers;
pub mod socketmap;
pub mod store;
pub mod tokens;
