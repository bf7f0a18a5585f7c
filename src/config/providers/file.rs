// SPDX-License-Identifier: GPL-3.0-or-later
//! A provider's file as it is written.

use crate::config::placed::Placed;
use crate::config::table::Table;
use crate::config::text_or::OneOrMore;
use crate::config::words::FeedFormat;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub name: Option<Placed<String>>,
    pub title: Option<Placed<String>>,
    #[serde(default)]
    pub aliases: Vec<Placed<String>>,
    pub note: Option<String>,
    /// What is known of the provider as a whole.
    #[serde(default)]
    pub fact: Vec<Table<Fact>>,
    /// What is said and could not be verified.
    #[serde(default)]
    pub unverified: Vec<Table<Fact>>,
    pub needs: Option<Table<Needs>>,
    #[serde(default)]
    pub region: BTreeMap<Placed<String>, Table<Region>>,
}

/// What a gateway has to say itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Needs {
    /// What `customer` is to be, for those facts that have `{customer}` in them.
    pub customer: Placed<String>,
}

/// A part with addresses of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    pub title: Option<Placed<String>>,
    #[serde(default)]
    pub fact: Vec<Table<Fact>>,
    #[serde(default)]
    pub unverified: Vec<Table<Fact>>,
}

/// Things of one kind that are known from one source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fact {
    pub mx: Option<Texts>,
    pub spf: Option<Texts>,
    pub hosts: Option<Texts>,
    pub feed: Option<Texts>,
    pub format: Option<FeedFormat>,
    pub networks: Option<Texts>,
    pub certificate: Option<Texts>,
    pub alternative_name: Option<Texts>,
    pub source: Option<Placed<String>>,
    pub date: Option<Placed<String>>,
    pub certainty: Option<Certainty>,
}

/// One text or several.
pub(super) type Texts = Placed<OneOrMore<String>>;

/// How certain it is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Certainty {
    High,
    Medium,
    Low,
}

impl From<Certainty> for super::Certainty {
    fn from(certainty: Certainty) -> Self {
        match certainty {
            Certainty::High => Self::High,
            Certainty::Medium => Self::Medium,
            Certainty::Low => Self::Low,
        }
    }
}
