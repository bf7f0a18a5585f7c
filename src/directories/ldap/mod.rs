// SPDX-License-Identifier: GPL-3.0-or-later
//! `type = "ldap"`: an LDAP directory (RFC 4511).

mod dn;
mod entry;
mod mapping;
mod recipient_type;
mod schema;

pub(in crate::directories) use dn::normalize as normalize_dn;
pub(in crate::directories) use entry::Entry;
pub(in crate::directories) use recipient_type::kind as recipient_type;
pub(in crate::directories) use schema::Schema;
