// SPDX-License-Identifier: GPL-3.0-or-later
//! Users and contacts as records.
//!
//! Among changes a property that is absent was never set, or has not changed: Graph's documentation says either, so such an
//! object is asked for by its id, and what the change said of it is put on top, in case the server that answers is behind.

use super::super::record::Record;
use super::super::source::{Sink, SourceError};
use super::super::system_mailbox::is_system_mailbox;
use super::client::Client;
use super::object::{Id, Object, Properties};
use super::question::{Asked, Resource};
use crate::mail::RecipientKind;
use std::collections::HashMap;

/// Objects that are asked for one by one; with more it costs less to ask for everything.
pub(super) const MOST_ASKED: usize = 2_000;

/// What has come of one resource.
pub(super) struct Recipients<'a> {
    asked: &'a Asked,
    whole: bool,
    /// Changed ones of which not everything was said.
    unsure: HashMap<Id, Properties>,
    told: bool,
}

impl<'a> Recipients<'a> {
    pub(super) fn new(asked: &'a Asked, whole: bool) -> Self {
        Self { asked, whole, unsure: HashMap::new(), told: false }
    }

    fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.asked.addresses.iter().map(AsRef::as_ref)
    }

    /// Takes an object; a later one of the same id takes its place.
    pub(super) fn take(&mut self, object: Object, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let Object { id, removed, properties, .. } = object;
        self.told = true;
        if removed.is_some() {
            self.unsure.remove(&id);
            return self.gone(id, sink);
        }
        if self.whole {
            // Nothing at all would say less than an object of the same id that came before.
            return if properties.has_any(self.names()) {
                self.record(id, &properties, sink)
            } else {
                Ok(())
            };
        }
        if !self.unsure.contains_key(&id) && properties.has_all(self.names()) {
            return self.record(id, &properties, sink);
        }
        let known = self.unsure.entry(id).or_default();
        known.merge(&properties);
        if self.unsure.len() > MOST_ASKED { Err(SourceError::Resync) } else { Ok(()) }
    }

    /// Asks for what is still open, and says whether there was anything at all.
    pub(super) async fn finish(
        &mut self,
        client: &mut Client<'_>,
        sink: &mut dyn Sink,
    ) -> Result<bool, SourceError> {
        for (id, newer) in std::mem::take(&mut self.unsure) {
            match client.one(self.asked, id).await? {
                Some(mut properties) => {
                    properties.merge(&newer);
                    self.record(id, &properties, sink)?;
                }
                None => self.gone(id, sink)?,
            }
        }
        Ok(self.told)
    }

    fn gone(&self, id: Id, sink: &mut dyn Sink) -> Result<(), SourceError> {
        if self.whole {
            // It may have come on an earlier page, and nobody will tell of its end again.
            sink.record(Record { key: id.text().into(), kind: self.kind(), ..Record::default() })?;
        } else {
            sink.removed(&id.text())?;
        }
        Ok(())
    }

    fn record(&self, id: Id, properties: &Properties, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let addresses = properties.addresses(id, self.asked, sink)?;
        if addresses.iter().any(|address| is_system_mailbox(address)) {
            sink.passed_over()?;
            return if self.whole { Ok(()) } else { self.gone(id, sink) };
        }
        let record = Record { key: id.text().into(), kind: self.kind(), addresses, ..Record::default() };
        Ok(sink.record(record)?)
    }

    fn kind(&self) -> RecipientKind {
        match self.asked.kind {
            Resource::Users => RecipientKind::User,
            Resource::Groups => RecipientKind::Group,
            Resource::Contacts => RecipientKind::Contact,
        }
    }
}
