// SPDX-License-Identifier: GPL-3.0-or-later
//! Access tokens by client credentials (RFC 6749 4.4), kept until shortly before they end. The secret and the token are said
//! to the login server and to Graph alone, and never shown.

use super::super::source::SourceError;
use super::answer::{Answer, Said};
use super::assertion::assertion;
use super::transport::Transport;
use crate::config::{self, GraphCredential};
use crate::mail::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Url};
use serde::Deserialize;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Mutex;

/// A token that ends within this time is not used any more. Microsoft's last about an hour.
const MARGIN: Duration = Duration::from_secs(300);

/// What Microsoft's error codes mean to an administrator (learn.microsoft.com/entra/identity-platform/reference-error-codes).
const CODES: [(&str, &str); 9] = [
    ("AADSTS7000215", "`secret` is wrong; it has to be the secret's value, not its id"),
    ("AADSTS7000222", "`secret` has expired; make a new one for the application"),
    ("AADSTS700016", "the tenant has no application with this `client_id`"),
    ("AADSTS90002", "there is no such `tenant`"),
    ("AADSTS900023", "there is no such `tenant`"),
    ("AADSTS700027", "the application does not know `certificate`, or `key` is another one's"),
    ("AADSTS700024", "this machine's clock is wrong, or Microsoft's"),
    ("AADSTS7000112", "the application is disabled"),
    ("AADSTS500011", "`graph_url` or `cloud` is not this tenant's"),
];

/// The token of an application.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<Option<Token>>);

#[derive(Clone, Debug)]
struct Token {
    token: Secret,
    until: Instant,
}

impl Tokens {
    /// Adds a token to a request: the one that is kept, or a new one. One that was refused is not used again. Gives the token.
    pub(super) async fn sign(
        &self,
        request: &mut Request,
        refused: Option<&Secret>,
        config: &config::Graph,
        transport: &mut Transport,
    ) -> Result<Secret, SourceError> {
        let mut kept = self.0.lock().await;
        let usable = kept.take().filter(|kept| {
            kept.until > Instant::now() && refused.is_none_or(|refused| !refused.is(kept.token.reveal()))
        });
        let token = match usable {
            Some(token) => token,
            None => fetch(config, transport).await?,
        };
        let value = [b"Bearer ", token.token.reveal()].concat();
        let value = HeaderValue::from_bytes(&value);
        let mut value = value.map_err(|_| SourceError::Wrong("the access token is no text".into()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        let said = token.token.clone();
        *kept = Some(token);
        Ok(said)
    }
}

async fn fetch(config: &config::Graph, transport: &mut Transport) -> Result<Token, SourceError> {
    #[derive(Deserialize)]
    struct Granted {
        token_type: String,
        expires_in: u64,
        access_token: String,
    }
    let request = request(config)?;
    let host = request.url().host_str().unwrap_or_default().to_owned();
    let asked = Instant::now();
    let body = match transport.exchange(&request).await? {
        Answer::Json(body) => body,
        Answer::Unauthorized(said) | Answer::Forbidden(said) | Answer::Refused(said) => {
            return Err(refused(config, &host, &said));
        }
        Answer::Missing | Answer::Expired => {
            let url = &config.login_url;
            return Err(SourceError::Wrong(format!(
                "{url} is no login server: it does not know {}",
                request.url().path()
            )));
        }
    };
    // What cannot be read may hold a token, so it is not shown.
    let granted: Granted = serde_json::from_slice(&body)
        .map_err(|_| SourceError::Wrong(format!("{host} answers without a token that can be read")))?;
    let Granted { token_type, expires_in, access_token } = granted;
    if !token_type.eq_ignore_ascii_case("Bearer") || access_token.is_empty() {
        return Err(SourceError::Wrong(format!("{host} answers with a token of an unknown type")));
    }
    let lasts = Duration::from_secs(expires_in.min(24 * 3600));
    let until = asked + lasts.saturating_sub(MARGIN.min(lasts / 2));
    Ok(Token { token: Secret::new(access_token.into_bytes()), until })
}

fn request(config: &config::Graph) -> Result<Request, SourceError> {
    let config::Graph { tenant, client_id, credential, graph_url, login_url, .. } = config;
    let address = format!("{login_url}/{tenant}/oauth2/v2.0/token");
    let url = Url::parse(&address).map_err(|error| SourceError::Wrong(format!("{address}: {error}")))?;
    // Its query is a form; the one of an address would be seen, so it is only borrowed for its encoding.
    let mut form = url.clone();
    form.query_pairs_mut()
        .clear()
        .append_pair("client_id", client_id)
        .append_pair("scope", &format!("{graph_url}/.default"))
        .append_pair("grant_type", "client_credentials");
    match credential {
        GraphCredential::Secret(secret) => {
            let secret = std::str::from_utf8(secret.reveal())
                .map_err(|_| SourceError::Wrong("`secret` is no text in UTF-8".into()))?;
            form.query_pairs_mut().append_pair("client_secret", secret);
        }
        GraphCredential::Certificate(identity) => {
            let assertion = assertion(identity, client_id, url.as_str(), SystemTime::now())?;
            form.query_pairs_mut()
                .append_pair(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                )
                .append_pair("client_assertion", &assertion);
        }
    }
    let mut request = Transport::request(Method::POST, url);
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, kind);
    *request.body_mut() = Some(form.query().unwrap_or_default().to_owned().into());
    Ok(request)
}

/// Why the login server does not believe us. Should it repeat our secret, that is not shown.
fn refused(config: &config::Graph, host: &str, said: &Said) -> SourceError {
    let mut why = said.shown();
    if let GraphCredential::Secret(secret) = &config.credential
        && let Ok(secret) = std::str::from_utf8(secret.reveal())
        && !secret.is_empty()
    {
        why = why.replace(secret, "...");
    }
    let code = why.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| word.starts_with("AADSTS"));
    let meaning =
        CODES.iter().find(|(known, _)| code == Some(known)).map(|(_, meaning)| format!("{meaning} "));
    match meaning {
        Some(meaning) => SourceError::Refused(format!("{meaning}({host}: {why})")),
        None => SourceError::Refused(format!("{host} says {why}")),
    }
}
