// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server says of itself (the root DSE, RFC 4512 5.1), and what Microsoft's and OpenLDAP's say more.

use super::connection::Connection;
use super::dn;
use super::entry::Entry;
use super::mapping::guid_text;
use super::search::Question;
use crate::directories::source::SourceError;

/// Pages (RFC 2696).
const PAGES: &str = "1.2.840.113556.1.4.319";
/// Changes by cookie (RFC 4533).
const SYNC: &str = "1.3.6.1.4.1.4203.1.9.1.1";

/// Where Active Directory keeps deleted objects.
const DELETED: &str = "18E2EA80684F11D2B9AA00C04F79F805";

/// What a server says of itself. One that says nothing to us is asked for everything every time.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    root: Entry,
}

/// A domain controller, at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Controller {
    /// The DN of its settings.
    pub service: String,
    /// Which of its databases: a restored one is another (MS-ADTS 3.1.1.1.9).
    pub invocation: String,
    /// The number of its last change (MS-ADTS 3.1.1.3.2.19).
    pub usn: u64,
}

/// A database of OpenLDAP's, at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Database {
    /// Its first entry.
    pub suffix: String,
    /// The `entryUUID` of that.
    pub id: String,
    /// The numbers of its last changes, one for each server that takes some (`contextCSN`), in order.
    pub csns: Vec<String>,
}

impl Connection {
    /// Asks a server about itself.
    pub(super) async fn server(&mut self) -> Result<Server, SourceError> {
        let attributes = [
            "supportedControl",
            "namingContexts",
            "defaultNamingContext",
            "highestCommittedUSN",
            "dsServiceName",
        ];
        let found = self.one(Question::about("", &attributes)).await;
        match found {
            Ok(found) => Ok(Server { root: found.map(|found| found.entry).unwrap_or_default() }),
            // It may be for nobody to read.
            Err(SourceError::Wrong(_) | SourceError::Refused(_)) => Ok(Server::default()),
            Err(error) => Err(error),
        }
    }

    /// The domain controller that this is, if it is one and lets us know.
    pub(super) async fn controller(&mut self, server: &Server) -> Result<Option<Controller>, SourceError> {
        let Some(usn) = server.root.text("highestCommittedUSN").and_then(|usn| usn.parse().ok()) else {
            return Ok(None);
        };
        let Some(service) = server.root.text("dsServiceName").map(str::to_owned) else { return Ok(None) };
        let found = self.known(Question::about(&service, &["invocationId"])).await?;
        let invocation =
            found.and_then(|entry| entry.values("invocationId").first().and_then(|id| guid_text(id)));
        Ok(invocation.map(|invocation| Controller { service, invocation: invocation.into(), usn }))
    }

    /// The database below which a base is, if it can tell of changes.
    pub(super) async fn database(&mut self, suffix: &str) -> Result<Option<Database>, SourceError> {
        let Some(entry) = self.known(Question::about(suffix, &["contextCSN", "entryUUID"])).await? else {
            return Ok(None);
        };
        let csns = entry.values("contextCSN").iter();
        let mut csns: Vec<String> = csns.filter_map(|csn| String::from_utf8(csn.clone()).ok()).collect();
        csns.sort_unstable();
        let id = entry.text("entryUUID").map(str::to_owned);
        Ok(id.filter(|_| !csns.is_empty()).map(|id| Database { suffix: suffix.to_owned(), id, csns }))
    }

    /// Whether deleted objects may be seen: where they are kept is found by a number (MS-ADTS 6.1.1.4).
    pub(super) async fn sees_deleted(&mut self, context: &str) -> Result<bool, SourceError> {
        let question = Question {
            controls: vec![super::usn::show_deleted()],
            ..Question::about(&format!("<WKGUID={DELETED},{context}>"), &["objectGUID"])
        };
        Ok(self.known(question).await?.is_some())
    }

    /// An entry, if it is there and may be read.
    async fn known(&mut self, question: Question) -> Result<Option<Entry>, SourceError> {
        match self.one(question).await {
            Ok(found) => Ok(found.map(|found| found.entry)),
            Err(SourceError::Wrong(_) | SourceError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Server {
    fn knows(&self, control: &str) -> bool {
        self.root.values("supportedControl").iter().any(|known| known == control.as_bytes())
    }

    /// Whether it knows pages.
    pub(super) fn knows_pages(&self) -> bool {
        self.knows(PAGES)
    }

    /// Whether it tells changes by cookie.
    pub(super) fn knows_sync(&self) -> bool {
        self.knows(SYNC)
    }

    /// The part of the tree that the server holds and a base is in: the base itself where it does not say.
    pub(super) fn context(&self, base: &str) -> String {
        let below = dn::normalize(base);
        let contexts = self.root.values("namingContexts").iter();
        let contexts = contexts.filter_map(|context| str::from_utf8(context).ok());
        let above = contexts.filter(|context| dn::is_below(&below, &dn::normalize(context)));
        above.max_by_key(|context| context.len()).unwrap_or(base).to_owned()
    }
}
