// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories, synced from the real servers that they live on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "directory/battery.rs"]
mod battery;
#[path = "common/mod.rs"]
mod common;
#[path = "directory/contract.rs"]
mod contract;
#[path = "directory/damage.rs"]
mod damage;
#[path = "directory/files.rs"]
mod files;
#[path = "directory/files_rig.rs"]
mod files_rig;
#[path = "directory/graph.rs"]
mod graph;
#[path = "directory/graph_faults.rs"]
mod graph_faults;
#[path = "directory/graph_kept.rs"]
mod graph_kept;
#[path = "directory/graph_peer.rs"]
mod graph_peer;
#[path = "directory/graph_rig.rs"]
mod graph_rig;
#[path = "directory/graph_sink.rs"]
mod graph_sink;
#[path = "directory/graph_tenant.rs"]
mod graph_tenant;
#[path = "directory/groups.rs"]
mod groups;
#[path = "directory/ldap.rs"]
mod ldap;
#[path = "directory/ldap_peer.rs"]
mod ldap_peer;
#[path = "directory/ldap_rig.rs"]
mod ldap_rig;
#[path = "directory/line.rs"]
mod line;
#[path = "directory/sequences.rs"]
mod sequences;
#[path = "directory/servers.rs"]
mod servers;
#[path = "directory/sql/mod.rs"]
mod sql;
#[path = "directory/syncs.rs"]
mod syncs;
