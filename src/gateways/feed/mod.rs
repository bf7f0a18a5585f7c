// SPDX-License-Identifier: GPL-3.0-or-later
//! A document with addresses behind HTTPS (RFC 9110, RFC 9112).
//!
//! One GET with `If-None-Match` and `If-Modified-Since`, at most [`REDIRECTS`] redirects and never off HTTPS. Connecting may
//! take 10 s, all of it 30 s; a document may have 16 MiB, and reading stops there. Nothing is compressed. The server's
//! certificate is verified against the system's authorities or the feed's own, and its key against the feed's pins. Names
//! are asked of the configured name servers; a proxy is taken from the environment (`HTTPS_PROXY`, `NO_PROXY`).

mod document;
mod reply;
mod trust;

use super::fetch::{Fetched, Validators};
use super::source::{Published, SourceError};
use crate::config::{Feed, FeedFormat};
use crate::dns::Dns;
use crate::https::{self, BodyError};
use reply::Reply;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response, Url};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Redirects that are followed.
const REDIRECTS: usize = 3;

/// How much a server may ask of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long connecting may take, TLS and all.
    pub connect: Duration,
    /// How long all of it may take.
    pub total: Duration,
    /// Largest document, in octets.
    pub document: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), total: Duration::from_secs(30), document: 16 * 1024 * 1024 }
    }
}

/// Reads feeds.
#[derive(Debug)]
pub struct Reader<D> {
    dns: Arc<D>,
    limits: Limits,
}

impl<D: Dns> Reader<D> {
    /// A reader that asks for names here.
    pub fn new(dns: Arc<D>, limits: Limits) -> Self {
        Self { dns, limits }
    }

    /// What a feed says now, or that it says what it said when it was marked so.
    pub async fn read(&self, feed: &Feed, validators: &Validators) -> Result<Fetched, SourceError> {
        let response = self.ask(feed, validators).await?;
        match Reply::read(&response, feed.format)? {
            Reply::Unchanged { ttl } => Ok(Fetched::Unchanged(ttl)),
            Reply::Document { ttl, validators } => {
                let document = self.document(response).await?;
                let (networks, notes) = document::read(&document, feed)?;
                // The certificate vouches for the document, DNSSEC has no part in it.
                let published = Published { networks, live: Vec::new(), ttl, validated: false, notes };
                Ok(Fetched::Published(published, validators))
            }
        }
    }

    async fn ask(&self, feed: &Feed, validators: &Validators) -> Result<Response, SourceError> {
        let client = Client::builder()
            .tls_backend_preconfigured(trust::client_config(feed)?)
            .https_only(true)
            .redirect(Policy::custom(follow))
            .referer(false)
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.total)
            .user_agent(https::USER_AGENT)
            .dns_resolver(Names(Arc::clone(&self.dns)))
            .build()
            .map_err(failed)?;
        let mut request = client.get(url(feed)?).header(ACCEPT, "application/json, text/plain, */*;q=0.1");
        if let Some(etag) = &validators.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(time) = &validators.last_modified {
            request = request.header(IF_MODIFIED_SINCE, time);
        }
        request.send().await.map_err(failed)
    }

    /// The whole document; one that is too large is not read to its end.
    async fn document(&self, response: Response) -> Result<Vec<u8>, SourceError> {
        https::body(response, self.limits.document).await.map_err(|error| match error {
            BodyError::TooLarge(most) => {
                SourceError::Wrong(format!("the document has more than {most} octets"))
            }
            BodyError::Broken(error) => failed(error),
        })
    }
}

/// The address to ask. Microsoft wants to tell its clients apart by a UUID and refuses those without.
fn url(feed: &Feed) -> Result<Url, SourceError> {
    const CLIENT: &str = "clientrequestid";
    let wrong = |error| SourceError::Wrong(format!("{}: {error}", feed.url));
    let mut url = Url::parse(&feed.url).map_err(wrong)?;
    match feed.format {
        FeedFormat::Microsoft => {
            if !url.query_pairs().any(|(key, _)| key.eq_ignore_ascii_case(CLIENT)) {
                url.query_pairs_mut().append_pair(CLIENT, &https::uuid());
            }
        }
        FeedFormat::Json | FeedFormat::Text => {}
    }
    Ok(url)
}

fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    if attempt.url().scheme() != "https" {
        let why = format!("redirects to {}, which is not HTTPS", attempt.url());
        return attempt.error(why);
    }
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("redirects too often");
    }
    attempt.follow()
}

/// What went wrong on the way. The address is known to whoever reads it.
fn failed(error: reqwest::Error) -> SourceError {
    let is_wrong = error.is_redirect() || error.is_builder();
    let is_late = error.is_timeout();
    let why = https::cause(error);
    if is_wrong {
        SourceError::Wrong(why)
    } else if is_late {
        SourceError::Unreachable(format!("too slow: {why}"))
    } else {
        SourceError::Unreachable(why)
    }
}

/// Names, asked of our own name servers.
struct Names<D>(Arc<D>);

impl<D: Dns> Resolve for Names<D> {
    fn resolve(&self, name: Name) -> Resolving {
        let dns = Arc::clone(&self.0);
        Box::pin(async move {
            let (v6, v4) = tokio::join!(dns.ipv6(name.as_str()), dns.ipv4(name.as_str()));
            let mut found: Vec<SocketAddr> = Vec::new();
            let mut add = |address: IpAddr| found.push((address, 0).into());
            match (v6, v4) {
                (Err(error), Err(_)) => return Err(error.into()),
                (v6, v4) => {
                    v6.into_iter().flat_map(|records| records.found).for_each(|address| add(address.into()));
                    v4.into_iter().flat_map(|records| records.found).for_each(|address| add(address.into()));
                }
            }
            if found.is_empty() {
                return Err(format!("{} has no address", name.as_str()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(url: &str, format: FeedFormat) -> Feed {
        Feed { url: url.into(), format, ca: None, pins: Vec::new() }
    }

    #[test]
    fn microsoft_is_told_who_asks() {
        let ours = "https://endpoints.office.com/endpoints/worldwide";
        let with = |query: &str| format!("{ours}?{query}");
        let asked = |url: &str, format| super::url(&feed(url, format)).unwrap().to_string();
        let told = asked(ours, FeedFormat::Microsoft);
        let id = told.strip_prefix(&with("clientrequestid=")).unwrap_or_else(|| panic!("{told}"));
        assert_eq!(id.len(), 36, "{id}");
        assert_ne!(told, asked(ours, FeedFormat::Microsoft));
        let own = with("ClientRequestId=x");
        assert_eq!(asked(&own, FeedFormat::Microsoft), own);
        assert!(
            asked(&with("NoIPv6=true"), FeedFormat::Microsoft)
                .starts_with(&with("NoIPv6=true&clientrequestid="))
        );
        assert_eq!(asked(ours, FeedFormat::Json), ours);
        assert!(url(&feed("https://", FeedFormat::Json)).is_err());
    }
}
