// SPDX-License-Identifier: GPL-3.0-or-later
//! What an answer of Graph or of the login server says by its status, and what of a server's texts is shown.
//!
//! | status | meaning |
//! |---|---|
//! | 200 | JSON follows |
//! | 401 | the token is of no use (any more); at the login server: who we are is not believed |
//! | 403 | the application may not ask this |
//! | 404 | there is no such object |
//! | 410; 400 with `syncStateNotFound` or `resyncRequired` | the link is of no use any more |
//! | 429; 408, 500, 502, 503, 504 | busy |
//! | anything else | wrong |

use super::super::source::SourceError;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;

/// How much of a server's text is shown, in characters.
const SHOWN: usize = 300;

/// An answer that says something about its request.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// JSON.
    Json(Vec<u8>),
    /// The token, or who we are, is not believed: why.
    Unauthorized(Said),
    /// The application may not: why.
    Forbidden(Said),
    /// There is no such object.
    Missing,
    /// The link is of no use any more.
    Expired,
    /// The request is not to the server's liking: why.
    Refused(Said),
}

/// The server is busy, or down for the moment.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Busy {
    /// Whether it is because of how much we ask.
    pub(super) throttles: bool,
    pub(super) why: String,
}

/// What a server says of an error.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Said {
    pub(super) code: String,
    pub(super) text: String,
}

impl Said {
    /// Code and text.
    pub(super) fn shown(&self) -> String {
        match (self.code.is_empty(), self.text.is_empty()) {
            (false, false) => format!("{}: {}", self.code, self.text),
            (false, true) => self.code.clone(),
            (true, false) => self.text.clone(),
            (true, true) => "without a reason".to_owned(),
        }
    }
}

impl Answer {
    /// What an answer says.
    pub(super) fn read(
        host: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Result<Result<Self, Busy>, SourceError> {
        let busy = |throttles| {
            let Said { code, .. } = said(&body);
            let why = format!("{host} answers {status}{}{code}", if code.is_empty() { "" } else { ", " });
            Ok(Err(Busy { throttles, why }))
        };
        let answer = match status {
            StatusCode::OK => {
                let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
                if !is_json(kind) {
                    let kind = shown(kind);
                    return Err(SourceError::Wrong(format!("{host} answers {kind:?} instead of JSON")));
                }
                Self::Json(body)
            }
            StatusCode::UNAUTHORIZED => Self::Unauthorized(said(&body)),
            StatusCode::FORBIDDEN => Self::Forbidden(said(&body)),
            StatusCode::NOT_FOUND => Self::Missing,
            StatusCode::GONE => Self::Expired,
            StatusCode::BAD_REQUEST => {
                let said = said(&body);
                let is = |code: &str| said.code.eq_ignore_ascii_case(code);
                if is("syncStateNotFound") || is("resyncRequired") {
                    Self::Expired
                } else {
                    Self::Refused(said)
                }
            }
            StatusCode::TOO_MANY_REQUESTS => return busy(true),
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => return busy(false),
            status if status.is_redirection() => {
                return Err(SourceError::Wrong(format!(
                    "{host} sends us elsewhere ({status}); we do not follow"
                )));
            }
            status => {
                let said = said(&body).shown();
                return Err(SourceError::Wrong(format!("{host} answers {status}: {said}")));
            }
        };
        Ok(Ok(answer))
    }
}

fn is_json(kind: &str) -> bool {
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Both forms of an error: `{"error": {"code": ..., "message": ...}}` of Graph, and `{"error": ..., "error_description": ...}`
/// of the login server (RFC 6749 5.2).
fn said(body: &[u8]) -> Said {
    #[derive(Deserialize)]
    struct Body {
        error: Error,
        error_description: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Error {
        Code(String),
        Whole { code: Option<String>, message: Option<String> },
    }
    match serde_json::from_slice(body) {
        Ok(Body { error: Error::Whole { code, message }, .. }) => {
            Said { code: shown(&code.unwrap_or_default()), text: shown(&message.unwrap_or_default()) }
        }
        Ok(Body { error: Error::Code(code), error_description }) => {
            Said { code: shown(&code), text: shown(&error_description.unwrap_or_default()) }
        }
        Err(_) => Said::default(),
    }
}

/// A server's text as it is shown: its first line, not too long, nothing in it that a terminal obeys.
pub(super) fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let mut shown: String =
        line.chars().take(SHOWN).map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect();
    if line.chars().nth(SHOWN).is_some() {
        shown.push_str(" ...");
    }
    shown
}

/// Whether a character stays where it is written: no control and nothing that turns the direction of others.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn answers_and_what_they_mean() {
        let json = "application/json; odata.metadata=minimal";
        let of = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"No."}}}}"#);
        for (status, kind, body, want) in [
            (200, json, "{}".to_owned(), "json"),
            (200, "Application/JSON", String::new(), "json"),
            (200, "text/html", "<html>".to_owned(), "g.example answers \"text/html\" instead of JSON"),
            (
                200,
                "application/json5",
                "{}".to_owned(),
                "g.example answers \"application/json5\" instead of JSON",
            ),
            (401, json, of("InvalidAuthenticationToken"), "unauthorized InvalidAuthenticationToken: No."),
            (401, "", String::new(), "unauthorized without a reason"),
            (403, json, of("Authorization_RequestDenied"), "forbidden Authorization_RequestDenied: No."),
            (404, json, of("Request_ResourceNotFound"), "missing"),
            (410, json, of("syncStateNotFound"), "expired"),
            (410, "", String::new(), "expired"),
            (400, json, of("SyncStateNotFound"), "expired"),
            (400, json, of("resyncRequired"), "expired"),
            (400, json, of("Request_BadRequest"), "refused Request_BadRequest: No."),
            (
                400,
                json,
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Wrong.\r\nTrace ID: 1"}"#
                    .to_owned(),
                "refused invalid_client: AADSTS7000215: Wrong.",
            ),
            (
                400,
                json,
                r#"{"error":{"code":"a\u001b[31m\u202eb"}}"#.to_owned(),
                "refused a\u{fffd}[31m\u{fffd}b",
            ),
            (
                429,
                json,
                of("TooManyRequests"),
                "throttles, g.example answers 429 Too Many Requests, TooManyRequests",
            ),
            (503, "", String::new(), "busy, g.example answers 503 Service Unavailable"),
            (500, "", String::new(), "busy, g.example answers 500 Internal Server Error"),
            (302, "", String::new(), "g.example sends us elsewhere (302 Found); we do not follow"),
            (204, "", String::new(), "g.example answers 204 No Content: without a reason"),
            (501, json, of("NotImplemented"), "g.example answers 501 Not Implemented: NotImplemented: No."),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            let status = StatusCode::from_u16(status).unwrap();
            let found = match Answer::read("g.example", status, &headers, body.clone().into_bytes()) {
                Ok(Ok(Answer::Json(_))) => "json".to_owned(),
                Ok(Ok(Answer::Unauthorized(said))) => format!("unauthorized {}", said.shown()),
                Ok(Ok(Answer::Forbidden(said))) => format!("forbidden {}", said.shown()),
                Ok(Ok(Answer::Missing)) => "missing".to_owned(),
                Ok(Ok(Answer::Expired)) => "expired".to_owned(),
                Ok(Ok(Answer::Refused(said))) => format!("refused {}", said.shown()),
                Ok(Err(Busy { throttles: true, why })) => format!("throttles, {why}"),
                Ok(Err(Busy { throttles: false, why })) => format!("busy, {why}"),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, want, "{status} {body}");
        }
        assert_eq!(shown(&"a".repeat(400)).len(), 304);
    }
}
