// SPDX-License-Identifier: GPL-3.0-or-later
//! Searches, page by page to the end (RFC 2696), and the rest of attributes that come in ranges.
//!
//! A search is over only when the server says so with success; a page without word of the next one, where the server knows
//! pages, is a page lost. Referrals are counted, and not followed: they lead to other directories.

use super::connection::{Connection, failed};
use super::message::{self, Found, Partial};
use crate::directories::source::SourceError;
use ldap3::controls::{Control, ControlType, MakeCritical as _, PagedResults, RawControl, SyncDone};
use ldap3::{ResultEntry, Scope, SearchStream};
use std::sync::Arc;

/// Pages without an entry, one after another, before it is no search any more: servers that stop at a time limit send some.
const EMPTY_PAGES: u32 = 1_000;
/// Octets that one entry may have with all its ranges.
const MAX_ENTRY: usize = 256 * 1024 * 1024;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub base: String,
    pub scope: Scope,
    pub filter: Arc<str>,
    pub attributes: Arc<[String]>,
    pub controls: Vec<RawControl>,
    /// Entries to a page; nothing for an answer in one piece.
    pub pages: Option<Pages>,
}

/// How pages are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    pub size: u32,
    /// Whether the server says that it knows them.
    pub known: bool,
}

impl Question {
    /// About one entry.
    pub(super) fn about(dn: &str, attributes: &[&str]) -> Self {
        Self {
            base: dn.to_owned(),
            scope: Scope::Base,
            filter: "(objectClass=*)".into(),
            attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
            controls: Vec::new(),
            pages: None,
        }
    }
}

/// A search that goes on.
pub(super) struct Search {
    question: Question,
    stream: SearchStream<'static, String, Vec<String>>,
    cookie: Vec<u8>,
    /// Pages without an entry, up to now.
    empty: u32,
    seen: bool,
    /// Referrals that were not followed, and the first of them.
    pub referrals: u64,
    pub referral: Option<String>,
    /// What the server has said at the end about changes.
    pub done: Option<SyncDone>,
}

/// What comes.
pub(super) enum Item {
    /// An entry, with its controls.
    Entry(Found, Vec<Control>),
    /// An intermediate message.
    Between(ResultEntry),
}

impl Connection {
    /// Begins a search.
    pub(super) async fn search(&mut self, question: Question) -> Result<Search, SourceError> {
        let stream = self.page(&question, Vec::new()).await?;
        Ok(Search {
            question,
            stream,
            cookie: Vec::new(),
            empty: 0,
            seen: false,
            referrals: 0,
            referral: None,
            done: None,
        })
    }

    async fn page(
        &mut self,
        question: &Question,
        cookie: Vec<u8>,
    ) -> Result<SearchStream<'static, String, Vec<String>>, SourceError> {
        let mut controls = question.controls.clone();
        if let Some(Pages { size, known }) = question.pages {
            let control = PagedResults { size: i32::try_from(size).unwrap_or(i32::MAX), cookie };
            controls.push(if known { control.critical().into() } else { control.into() });
        }
        let mut ldap = self.handle();
        let Question { base, scope, filter, attributes, .. } = question.clone();
        self.ask(async move {
            ldap.with_controls(controls);
            ldap.streaming_search(&base, scope, &filter, attributes.to_vec()).await
        })
        .await
    }

    /// The next thing found; nothing at the end.
    pub(super) async fn next(&mut self, search: &mut Search) -> Result<Option<Item>, SourceError> {
        loop {
            if let Some(found) = self.ask(search.stream.next()).await? {
                if found.is_ref() {
                    search.referrals += 1;
                    search.referral.get_or_insert_with(|| referral(&found));
                } else if found.is_intermediate() {
                    return Ok(Some(Item::Between(found)));
                } else {
                    search.seen = true;
                    let (tag, controls) = (found.0, found.1);
                    let found = message::entry(tag)
                        .ok_or_else(|| SourceError::Wrong("an entry that is no entry has come".into()))?;
                    return Ok(Some(Item::Entry(found, controls)));
                }
                continue;
            }
            let result = search.stream.finish().await;
            if result.rc != 0 {
                return Err(failed(&result));
            }
            let Some(cookie) = search.end_of_page(&result.ctrls)? else { return Ok(None) };
            search.stream = self.page(&search.question, cookie).await?;
        }
    }

    /// Asks for what is missing of an entry.
    pub(super) async fn complete(
        &mut self,
        found: Found,
        controls: &[RawControl],
    ) -> Result<super::Entry, SourceError> {
        let Found { mut entry, partial } = found;
        let mut octets = 0;
        for Partial { attribute, first: _, next } in partial {
            let mut wanted = next;
            while let Some(next) = wanted {
                let option = format!("{attribute};range={next}-*");
                let question =
                    Question { controls: controls.to_vec(), ..Question::about(&entry.dn, &[&option]) };
                let lost =
                    || SourceError::Incomplete(format!("{}: {attribute} ends at value {next}", entry.dn));
                let rest = self.one(question).await?.ok_or_else(lost)?;
                let values = rest.entry.values(&attribute).to_vec();
                let part = rest.partial.iter().find(|part| part.attribute.eq_ignore_ascii_case(&attribute));
                if values.is_empty() || part.is_none_or(|part| part.first != next) {
                    return Err(lost());
                }
                octets += values.iter().map(Vec::len).sum::<usize>();
                if octets > MAX_ENTRY {
                    let why = format!("{} has more than {} MiB", entry.dn, MAX_ENTRY >> 20);
                    return Err(SourceError::Wrong(why));
                }
                wanted = part.and_then(|part| part.next);
                entry.add_all(&attribute, values);
            }
        }
        Ok(entry)
    }

    /// The one entry that is asked about; nothing where it is not there.
    pub(super) async fn one(&mut self, question: Question) -> Result<Option<Found>, SourceError> {
        let mut search = self.search(question).await?;
        let mut one = None;
        while let Some(item) = self.next(&mut search).await? {
            if let Item::Entry(found, _) = item {
                one = Some(found);
            }
        }
        Ok(one)
    }
}

impl Search {
    /// What the end of a page says: how the next one is asked for, if there is one.
    fn end_of_page(&mut self, controls: &[Control]) -> Result<Option<Vec<u8>>, SourceError> {
        let mut cookie = None;
        for Control(kind, raw) in controls {
            match kind {
                Some(ControlType::PagedResults) if raw.val.is_some() => {
                    cookie = Some(raw.parse::<PagedResults>().cookie);
                }
                Some(ControlType::SyncDone) if raw.val.is_some() => self.done = Some(raw.parse()),
                _ => {}
            }
        }
        let Some(pages) = self.question.pages else { return Ok(None) };
        match cookie {
            None if pages.known || !self.cookie.is_empty() => {
                Err(SourceError::Incomplete("the server has not said whether there are more pages".into()))
            }
            None => Ok(None),
            Some(cookie) if cookie.is_empty() => Ok(None),
            Some(cookie) => {
                self.empty = if self.seen { 0 } else { self.empty + 1 };
                self.seen = false;
                if self.empty > EMPTY_PAGES {
                    return Err(SourceError::Incomplete("the server sends empty pages without end".into()));
                }
                self.cookie.clone_from(&cookie);
                Ok(Some(cookie))
            }
        }
    }
}

/// Where a referral leads (RFC 4511 4.5.3).
fn referral(found: &ResultEntry) -> String {
    let ldap3::asn1::PL::C(urls) = &found.0.payload else { return "?".into() };
    let url = urls.first().and_then(|url| match &url.payload {
        ldap3::asn1::PL::P(octets) => Some(String::from_utf8_lossy(octets).chars().take(200).collect()),
        ldap3::asn1::PL::C(_) => None,
    });
    url.unwrap_or_else(|| "?".into())
}
