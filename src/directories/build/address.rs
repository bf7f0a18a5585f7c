// SPDX-License-Identifier: GPL-3.0-or-later
//! What a source gives as an address: one mailbox, a whole domain, or a pattern of local parts.

use crate::mail::{Domain, Host, LocalPattern, Mailbox};

/// What a text stands for.
#[derive(Debug)]
pub(super) enum Address {
    /// One mailbox: its folded local part.
    Mailbox(String, Domain),
    /// `@example.com` or `*@example.com`.
    Whole(Domain),
    /// `bounces-*@example.com`.
    Pattern(LocalPattern, Domain),
    /// An address literal, which is in no domain.
    Literal,
}

impl Address {
    /// Reads a text; where `patterns` are not allowed, a star is a character like any other. An error says what is wrong.
    pub(super) fn read(text: &str, patterns: bool) -> Result<Self, String> {
        if let Some(domain) = text.strip_prefix('@').or_else(|| text.strip_prefix("*@")) {
            return Domain::parse(domain).map(Self::Whole).map_err(|error| error.to_string());
        }
        if let Some((local, domain)) =
            text.rsplit_once('@').filter(|(local, _)| patterns && local.contains('*'))
        {
            let pattern = LocalPattern::parse(local).map_err(|error| error.to_string())?;
            let domain = Domain::parse(domain).map_err(|error| error.to_string())?;
            return Ok(Self::Pattern(pattern, domain));
        }
        let mailbox = Mailbox::parse_strict(text).map_err(|error| error.to_string())?;
        Ok(match (mailbox.folded_local(), mailbox.host()) {
            (Some(local), Host::Domain(domain)) => Self::Mailbox(local, domain.clone()),
            _ => Self::Literal,
        })
    }

    /// The domain that it is in.
    pub(super) fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Mailbox(_, domain) | Self::Whole(domain) | Self::Pattern(_, domain) => Some(domain),
            Self::Literal => None,
        }
    }
}
