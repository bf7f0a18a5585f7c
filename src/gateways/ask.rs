// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks each kind of source in its own way.

use super::feed::{Limits, Reader};
use super::fetch::{Fetch, Fetched, Validators};
use super::source::SourceError;
use super::{hosts, spf};
use crate::config::AddressSource;
use crate::dns::Dns;
use std::sync::Arc;

/// Asks the network: SPF names and hosts by DNS, feeds by HTTPS.
#[derive(Debug)]
pub struct Asker<D> {
    dns: Arc<D>,
    feeds: Reader<D>,
}

impl<D: Dns> Asker<D> {
    /// One that asks for names here.
    pub fn new(dns: Arc<D>) -> Self {
        Self { feeds: Reader::new(Arc::clone(&dns), Limits::default()), dns }
    }
}

impl<D: Dns> Fetch for Asker<D> {
    async fn fetch(&self, source: &AddressSource, validators: &Validators) -> Result<Fetched, SourceError> {
        let published = match source {
            AddressSource::Spf(name) => spf::expand(&*self.dns, name).await?,
            AddressSource::Host(host) => hosts::look_up(&*self.dns, host).await?,
            AddressSource::Feed(feed) => return self.feeds.read(feed, validators).await,
        };
        Ok(Fetched::Published(published, Validators::default()))
    }
}
