// SPDX-License-Identifier: GPL-3.0-or-later
//! What the test binaries share: directories, addresses, the edges of networks, waiting, an SMTP client, an SMTP sink, a
//! scanning gateway, a certificate authority, servers of names, directories and databases, and Postern itself as a child process.

#![allow(dead_code, reason = "each test binary uses its own part of it")]

pub(crate) mod address;
pub(crate) mod authority;
pub(crate) mod company;
pub(crate) mod courier;
pub(crate) mod dir;
pub(crate) mod edges;
pub(crate) mod ldap_server;
pub(crate) mod leash;
pub(crate) mod mariadb;
pub(crate) mod name_server;
pub(crate) mod postern;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod scanner;
pub(crate) mod sink;
pub(crate) mod smtp;
pub(crate) mod wait;
