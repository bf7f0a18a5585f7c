// SPDX-License-Identifier: GPL-3.0-or-later
//! Where a sync of an LDAP directory goes on: which server or database it was, what it was asked, how far it had got, and
//! when everything was asked for last.
//!
//! Changes do not tell all: an account may lack the right to see deleted objects, or lose the right to see others, and entries
//! move out of where is searched. So everything is asked for again after [`FULL`].

use crate::config::Ldap;
use crate::directories::source::{Cookie, SourceError};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Schema;

/// For how long changes are enough.
const FULL: Duration = Duration::from_secs(24 * 3600);

/// What a cookie says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct State {
    /// What was asked, hashed.
    question: String,
    /// When everything was asked for last, in seconds since 1970.
    full: u64,
    pub(super) point: Point,
}

/// How far it had got.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Point {
    /// A domain controller's last change.
    Controller {
        /// The DN of its settings.
        service: String,
        /// Which of its databases.
        invocation: String,
        /// The number of the change.
        usn: u64,
    },
    /// The last changes of each database, by suffix.
    Databases(BTreeMap<String, Changes>),
}

/// The last changes of a database.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Changes {
    /// Which database.
    pub id: String,
    /// Their numbers, one for each server that takes some.
    pub csns: Vec<String>,
}

impl State {
    /// After everything was asked for.
    pub(super) fn full(ldap: &Ldap, schema: &Schema, point: Point) -> Self {
        Self { question: question(ldap, schema), full: now(), point }
    }

    /// After changes.
    pub(super) fn after(self, point: Point) -> Self {
        Self { point, ..self }
    }

    /// Reads a cookie; [`SourceError::Resync`] where nothing can be gone on from.
    pub(super) fn read(cookie: &Cookie, ldap: &Ldap, schema: &Schema) -> Result<Self, SourceError> {
        let state: Self = serde_json::from_str(&cookie.0).map_err(|_| SourceError::Resync)?;
        let now = now();
        // A clock that was put back must not make it last.
        let old = state.full > now || now - state.full >= FULL.as_secs();
        if old || state.question != question(ldap, schema) || !ldap.incremental {
            return Err(SourceError::Resync);
        }
        Ok(state)
    }

    /// As a cookie.
    pub(super) fn write(&self) -> Option<Cookie> {
        // Nothing in it fails to be JSON.
        serde_json::to_string(self).ok().map(|text| Cookie(text.into()))
    }
}

/// What is asked, hashed: with another filter, or as somebody else, entries come and go without having changed.
fn question(ldap: &Ldap, schema: &Schema) -> String {
    let Ldap { servers: _, start_tls: _, ca: _, bind, base, schema: kind, filter: _, attributes: _, .. } =
        ldap;
    let who = match bind {
        crate::config::LdapBind::Anonymous => "",
        crate::config::LdapBind::Simple { dn, password: _ } => dn,
        crate::config::LdapBind::External(identity) => {
            &format!("{:?}", Sha256::digest(&identity.certificate))
        }
    };
    let asked = format!("{kind:?} {base:?} {} {:?} {who:?} {schema:?}", schema.filter(), schema.attributes());
    let hash: [u8; 32] = Sha256::digest(asked).into();
    base64::engine::general_purpose::STANDARD.encode(&hash[..16])
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
