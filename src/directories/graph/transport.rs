// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests to Graph and to the login server, each under a deadline, with answers up to a size, and patience.
//!
//! A server that is busy or down for the moment is waited for; a connection that breaks is made once more. Redirects are not
//! followed, so that a token is said to nobody else; nothing is compressed. A proxy is taken from the environment
//! (`HTTPS_PROXY`, `NO_PROXY`).

use super::super::source::SourceError;
use super::answer::Answer;
use super::patience::Patience;
use crate::config;
use crate::https::{self, AuthorityError, BodyError};
use reqwest::header::{ACCEPT, HeaderMap, HeaderName};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, StatusCode, Url};
use rustls::ClientConfig;
use rustls::crypto::ring;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Largest answer, in octets. A page has some hundred objects; one group on it may have thousands of members.
const LARGEST: usize = 32 * 1024 * 1024;
/// How long connecting may take, TLS and all, if an answer may take longer.
const CONNECT: Duration = Duration::from_secs(10);
/// How much of what an application may ask is used up, from 0.8 on (learn.microsoft.com/graph/throttling).
const USED_UP: HeaderName = HeaderName::from_static("x-ms-throttle-limit-percentage");

/// The way to a tenant, for one sync.
pub(super) struct Transport {
    http: Client,
    patience: Patience,
    /// The most that Graph said is used up, as it said it.
    used_up: f64,
}

impl Transport {
    pub(super) fn new(graph: &config::Graph, timeout: Duration) -> Result<Self, SourceError> {
        let wrong = |error: &dyn std::error::Error| SourceError::Wrong(format!("cannot set up TLS: {error}"));
        let roots = https::authorities(graph.ca.as_deref()).map_err(|error| match error {
            AuthorityError::Wrong(why) => SourceError::Wrong(why),
            AuthorityError::NoneHere => SourceError::Unreachable(error.to_string()),
        })?;
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT.min(timeout))
            .timeout(timeout)
            .user_agent(https::USER_AGENT)
            .build()
            .map_err(|error| wrong(&error))?;
        Ok(Self { http, patience: Patience::default(), used_up: 0.0 })
    }

    /// A request for JSON.
    pub(super) fn request(method: Method, url: Url) -> Request {
        let mut request = Request::new(method, url);
        request.headers_mut().insert(ACCEPT, reqwest::header::HeaderValue::from_static("application/json"));
        request
    }

    /// Sends a request until there is an answer that says something about it.
    pub(super) async fn exchange(&mut self, request: &Request) -> Result<Answer, SourceError> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let (mut tries, mut broke) = (0, false);
        loop {
            // All of our bodies can be sent again.
            let copy = request.try_clone().ok_or_else(|| SourceError::Wrong("a request of no use".into()))?;
            let (status, headers, body) = match self.once(copy).await {
                Ok(answer) => answer,
                Err(Broken::Off(_)) if !broke => {
                    broke = true;
                    continue;
                }
                Err(Broken::Off(error) | Broken::For(error)) => return Err(error),
            };
            match Answer::read(&host, status, &headers, body)? {
                Ok(answer) => return Ok(answer),
                Err(busy) => {
                    let told = https::retry_after(&headers, SystemTime::now());
                    tokio::time::sleep(self.patience.wait(&busy, told, tries)?).await;
                }
            }
            tries += 1;
        }
    }

    async fn once(&mut self, request: Request) -> Result<(StatusCode, HeaderMap, Vec<u8>), Broken> {
        let response = self.http.execute(request).await.map_err(broken)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let used = headers
            .get(USED_UP)
            .and_then(|used| used.to_str().ok()?.parse().ok())
            .filter(|used: &f64| used.is_finite());
        self.used_up = self.used_up.max(used.unwrap_or_default());
        let body = https::body(response, LARGEST).await.map_err(|error| match error {
            BodyError::TooLarge(most) => {
                Broken::For(SourceError::Wrong(format!("an answer has more than {most} octets")))
            }
            BodyError::Broken(error) if error.is_timeout() => broken(error),
            BodyError::Broken(error) => Broken::Off(SourceError::Incomplete(https::cause(error))),
        })?;
        Ok((status, headers, body))
    }

    /// What an administrator should know of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.used_up > 0.0 {
            let percent = self.used_up * 100.0;
            notes.push(format!("Graph says that {percent:.0} % of what the application may ask is used up"));
        }
        let waited = self.patience.waited.as_secs();
        if waited > 0 {
            notes.push(format!("Graph had us wait for {waited} s"));
        }
        notes
    }
}

/// Why there is no answer.
enum Broken {
    /// The connection broke, and may hold the next time.
    Off(SourceError),
    /// Asking again is of no use.
    For(SourceError),
}

fn broken(error: reqwest::Error) -> Broken {
    let (is_late, is_builder, is_connect) = (error.is_timeout(), error.is_builder(), error.is_connect());
    let why = https::cause(error);
    if is_builder {
        Broken::For(SourceError::Wrong(why))
    } else if is_late {
        Broken::For(SourceError::Unreachable(format!("too slow: {why}")))
    } else if is_connect {
        Broken::For(SourceError::Unreachable(why))
    } else {
        Broken::Off(SourceError::Unreachable(why))
    }
}
