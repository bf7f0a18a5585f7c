// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked of Graph, and the cookie by which the next sync goes on. A cookie is good for the very same question only: the
//! same tenant, application, cloud, properties and kinds.

use super::super::source::{Cookie, SourceError};
use crate::config;
use crate::mail::RecipientKind;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Raised when records are made in another way than before, so that all are made anew.
const VERSION: u32 = 1;
/// Longest link that is kept, in octets. Microsoft's have up to some thousand.
const LONGEST_LINK: usize = 32 * 1024;
/// Properties with addresses that groups and contacts have, too; asking them for others is an error.
const OF_ALL: [&str; 2] = ["mail", "proxyAddresses"];

/// What has a delta query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Resource {
    /// Accounts, which are mailboxes where they have addresses.
    Users,
    /// Groups of every kind.
    Groups,
    /// Mail contacts (`orgContact`).
    Contacts,
}

impl Resource {
    /// Its name in URLs.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Contacts => "contacts",
        }
    }

    /// What the application has to be allowed.
    pub(super) fn permission(self) -> &'static str {
        match self {
            Self::Users => "User.Read.All",
            Self::Groups => "GroupMember.Read.All",
            Self::Contacts => "OrgContact.Read.All",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// What is asked of one resource.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) kind: Resource,
    /// Properties with addresses.
    pub(super) addresses: Vec<Box<str>>,
    /// Graph's address with the version, without a slash at its end.
    base: String,
}

impl Asked {
    /// The properties of one object.
    fn select(&self) -> String {
        let mut select = vec!["id"];
        select.extend(self.addresses.iter().map(AsRef::as_ref));
        if self.kind == Resource::Groups {
            select.extend(["displayName", "mailEnabled"]);
        }
        select.join(",")
    }

    fn url(&self, rest: &str) -> Result<Url, SourceError> {
        let text = format!("{}/{}/{rest}", self.base, self.kind);
        Url::parse(&text).map_err(|error| SourceError::Wrong(format!("{text}: {error}")))
    }

    /// Where a full round begins. Options go into the tokens of all later links.
    pub(super) fn first(&self) -> Result<Url, SourceError> {
        let members = if self.kind == Resource::Groups { ",members" } else { "" };
        self.url(&format!("delta?$select={}{members}", self.select()))
    }

    /// Where one object is.
    pub(super) fn one(&self, id: &str) -> Result<Url, SourceError> {
        self.url(&format!("{id}?$select={}", self.select()))
    }

    /// Where the members of a group are.
    pub(super) fn members(&self, id: &str) -> Result<Url, SourceError> {
        self.url(&format!("{id}/members?$select=id&$top=999"))
    }
}

/// All that is asked.
#[derive(Debug)]
pub(super) struct Question {
    resources: Vec<Asked>,
    /// A hash of it.
    mark: String,
    incremental: bool,
}

/// A cookie's text.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    question: String,
    links: Vec<String>,
}

impl Question {
    pub(super) fn new(config: &config::Graph, rules: &config::SyncRules) -> Result<Self, SourceError> {
        let config::Graph { tenant, client_id, graph_url, addresses, incremental, .. } = config;
        let base = format!("{graph_url}/v1.0");
        let common = || addresses.iter().filter(|name| OF_ALL.contains(&name.as_ref())).cloned().collect();
        let includes = |kind| rules.include.contains(&kind);
        let asked = |kind, addresses| Asked { kind, addresses, base: base.clone() };
        let mut resources = Vec::new();
        if includes(RecipientKind::User) {
            resources.push(asked(Resource::Users, addresses.clone()));
        }
        // Those that take no mail still say who is in them.
        resources.push(asked(Resource::Groups, common()));
        let contacts = asked(Resource::Contacts, common());
        if includes(RecipientKind::Contact) && !contacts.addresses.is_empty() {
            resources.push(contacts);
        }
        let mut hash = Sha256::new();
        hash.update(format!("{VERSION}\n{tenant}\n{client_id}\n{}\n", includes(RecipientKind::Group)));
        for resource in &resources {
            hash.update(format!("{}\n", resource.first()?));
        }
        let mark = URL_SAFE_NO_PAD.encode(hash.finalize());
        Ok(Self { resources, mark, incremental: *incremental })
    }

    pub(super) fn resources(&self) -> &[Asked] {
        &self.resources
    }

    /// The links in a cookie, in the order of the resources.
    pub(super) fn resume(&self, cookie: &Cookie) -> Result<Vec<Url>, SourceError> {
        let kept: Kept = serde_json::from_str(&cookie.0).map_err(|_| SourceError::Resync)?;
        let links: Result<Vec<Url>, _> = kept.links.iter().map(|link| Url::parse(link)).collect();
        let links = links.map_err(|_| SourceError::Resync)?;
        let same = kept.question == self.mark && links.len() == self.resources.len();
        if same && self.incremental { Ok(links) } else { Err(SourceError::Resync) }
    }

    /// A cookie that goes on from these links.
    pub(super) fn cookie(&self, links: &[Url]) -> Result<Cookie, SourceError> {
        if let Some(link) = links.iter().find(|link| link.as_str().len() > LONGEST_LINK) {
            let length = link.as_str().len();
            return Err(SourceError::Wrong(format!(
                "a deltaLink has {length} octets; at most {LONGEST_LINK} are kept"
            )));
        }
        let links = links.iter().map(Url::to_string).collect();
        let text = serde_json::to_string(&Kept { question: self.mark.clone(), links });
        text.map(|text| Cookie(text.into())).map_err(|error| SourceError::Wrong(error.to_string()))
    }
}

#[cfg(test)]
impl Question {
    /// What is asked of a tenant where nothing is set otherwise.
    pub(super) fn test() -> Self {
        let base = "https://graph.example/v1.0".to_owned();
        let addresses = OF_ALL.map(Box::from).to_vec();
        let resources = [Resource::Users, Resource::Groups, Resource::Contacts].map(|kind| Asked {
            kind,
            addresses: addresses.clone(),
            base: base.clone(),
        });
        Self { resources: resources.into(), mark: String::new(), incremental: true }
    }
}
