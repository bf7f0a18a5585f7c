// SPDX-License-Identifier: GPL-3.0-or-later
//! The words of the configuration file: values that are one of a few.

use super::placed::Placed;
use crate::policy;
use schemars::JsonSchema;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Kinds of directories.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DirectoryType {
    /// A text file with one address a line.
    List,
}

/// Who may deliver for a domain.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum Gateways {
    /// Anyone.
    Any(Any),
    /// The gateways of these names.
    Named(#[schemars(length(min = 1))] Vec<Placed<String>>),
}

/// The word `any`.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum Any {
    /// Anyone.
    Any,
}

/// How far a domain is switched on.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Not looked at, nothing added.
    Inactive,
    /// Everything is decided and recorded, nothing is refused, held, discarded or tagged.
    #[default]
    Monitor,
    /// What would be rejected or discarded is deferred, so that nothing is lost.
    Soft,
    /// Verdicts are carried out.
    Enforce,
}

/// What is to happen to a message.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Let it pass.
    Accept,
    /// Let it pass with a header line `X-Postern-Tag: REASON`.
    Tag,
    /// Accept it and hold it in the MTA's queue.
    Quarantine,
    /// Accept it and deliver it to nobody.
    Discard,
    /// Refuse it for now, 4xx.
    Defer,
    /// Refuse it, 5xx.
    Reject,
}

impl From<Mode> for policy::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Inactive => Self::Inactive,
            Mode::Monitor => Self::Monitor,
            Mode::Soft => Self::Soft,
            Mode::Enforce => Self::Enforce,
        }
    }
}

impl From<Verdict> for policy::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Accept,
            Verdict::Tag => Self::Tag,
            Verdict::Quarantine => Self::Quarantine,
            Verdict::Discard => Self::Discard,
            Verdict::Defer => Self::Defer,
            Verdict::Reject => Self::Reject,
        }
    }
}

impl<'de> Deserialize<'de> for Gateways {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyOrNames;

        impl<'de> Visitor<'de> for AnyOrNames {
            type Value = Gateways;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of gateway names, or \"any\"")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Gateways, E> {
                if word == "any" {
                    Ok(Gateways::Any(Any::Any))
                } else {
                    Err(E::invalid_type(serde::de::Unexpected::Str(word), &self))
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Gateways, A::Error> {
                let mut list = Vec::new();
                while let Some(name) = names.next_element()? {
                    list.push(name);
                }
                Ok(Gateways::Named(list))
            }
        }

        deserializer.deserialize_any(AnyOrNames)
    }
}
