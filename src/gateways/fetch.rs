// SPDX-License-Identifier: GPL-3.0-or-later
//! Asking a source: what came of it, and who asks.

use super::source::{Published, SourceError};
use crate::config::AddressSource;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::time::Duration;

/// What a source has answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Fetched {
    /// This is what it publishes.
    Published(Published, Validators),
    /// It publishes what it published last, and that may be kept for this long.
    Unchanged(Duration),
}

impl Fetched {
    /// How long it may be kept.
    pub fn ttl(&self) -> Duration {
        match self {
            Self::Published(published, _) => published.ttl,
            Self::Unchanged(ttl) => *ttl,
        }
    }
}

/// What a document was marked with (RFC 9110 8.8), so that it is only sent again when it has changed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Validators {
    /// Its entity tag, quotation marks and all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Its time of last modification, as the server wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// Who asks sources.
pub trait Fetch: Send + Sync + 'static {
    /// Asks one source once. With empty validators the answer is never [`Fetched::Unchanged`].
    fn fetch(
        &self,
        source: &AddressSource,
        validators: &Validators,
    ) -> impl Future<Output = Result<Fetched, SourceError>> + Send;
}
