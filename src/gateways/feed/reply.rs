// SPDX-License-Identifier: GPL-3.0-or-later
//! What the first lines of an HTTP answer say: a document, an old one, come again later, or nothing of use.
//!
//! | status | meaning |
//! |---|---|
//! | 200 | a document, kept for `max-age` or until `Expires`, else for an hour |
//! | 304 | the document that we know |
//! | 429; 503 with `Retry-After` | later: when it says, else after an hour |
//! | 408, 5xx | nobody answers |
//! | anything else | wrong |

use super::super::fetch::Validators;
use super::super::source::SourceError;
use crate::config::FeedFormat;
use crate::https::{retry_after, until};
use reqwest::header::{CACHE_CONTROL, ETAG, EXPIRES, HeaderMap, HeaderName, LAST_MODIFIED};
use reqwest::{Response, StatusCode};
use std::time::{Duration, SystemTime};

/// How long something is kept, or waited for, of which nothing is said.
const HOUR: Duration = Duration::from_secs(3600);
/// Longest validator that is kept, in octets.
const LONGEST: usize = 1024;

/// An answer of use.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// A document follows.
    Document { ttl: Duration, validators: Validators },
    /// It is what it was.
    Unchanged { ttl: Duration },
}

impl Reply {
    /// What an answer says before its document.
    pub(super) fn read(response: &Response, format: FeedFormat) -> Result<Self, SourceError> {
        read(response.status(), response.headers(), format, SystemTime::now())
    }
}

fn read(
    status: StatusCode,
    headers: &HeaderMap,
    format: FeedFormat,
    now: SystemTime,
) -> Result<Reply, SourceError> {
    match status {
        StatusCode::OK => {
            let kept = |name| text(headers, &name).filter(|text| text.len() <= LONGEST).map(str::to_owned);
            let validators = Validators { etag: kept(ETAG), last_modified: kept(LAST_MODIFIED) };
            Ok(Reply::Document { ttl: ttl(headers, format, now), validators })
        }
        StatusCode::NOT_MODIFIED => Ok(Reply::Unchanged { ttl: ttl(headers, format, now) }),
        StatusCode::TOO_MANY_REQUESTS => Err(SourceError::Later(retry_after(headers, now).unwrap_or(HOUR))),
        StatusCode::SERVICE_UNAVAILABLE => {
            Err(retry_after(headers, now).map_or_else(|| down(status), SourceError::Later))
        }
        StatusCode::REQUEST_TIMEOUT => Err(down(status)),
        status if status.is_server_error() => Err(down(status)),
        status => Err(SourceError::Wrong(format!("the server answers {status}"))),
    }
}

fn down(status: StatusCode) -> SourceError {
    SourceError::Unreachable(format!("the server answers {status}"))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// RFC 9111 5.2.2.1 and 5.3. Microsoft asks not to be asked more often than once an hour.
fn ttl(headers: &HeaderMap, format: FeedFormat, now: SystemTime) -> Duration {
    let max_age = text(headers, &CACHE_CONTROL).and_then(|control| {
        let ages = control.split(',').filter_map(|part| part.trim().split_once('='));
        let age = ages
            .filter(|(key, _)| key.eq_ignore_ascii_case("max-age"))
            .map(|(_, age)| age.trim_matches('"'))
            .next()?;
        age.parse().map(Duration::from_secs).ok()
    });
    let expires = || text(headers, &EXPIRES).and_then(|date| until(date, now));
    let ttl = max_age.or_else(expires).unwrap_or(HOUR);
    match format {
        FeedFormat::Microsoft => ttl.max(HOUR),
        FeedFormat::Json | FeedFormat::Text => ttl,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_what_they_mean() {
        let now = httpdate::parse_http_date("Sat, 21 Nov 2026 12:00:00 GMT").unwrap();
        let soon = "Sat, 21 Nov 2026 12:10:00 GMT";
        let past = "Sat, 21 Nov 2026 11:00:00 GMT";
        for (status, headers, format, want) in [
            (200, vec![], FeedFormat::Json, "document 3600"),
            (200, vec![("cache-control", "public, max-age=600")], FeedFormat::Json, "document 600"),
            (200, vec![("cache-control", "Max-Age=\"60\"")], FeedFormat::Text, "document 60"),
            (200, vec![("cache-control", "max-age=600")], FeedFormat::Microsoft, "document 3600"),
            (200, vec![("cache-control", "no-cache"), ("expires", soon)], FeedFormat::Json, "document 600"),
            (200, vec![("expires", past)], FeedFormat::Json, "document 0"),
            (200, vec![("expires", "0"), ("cache-control", "max-age=-1")], FeedFormat::Json, "document 3600"),
            (304, vec![("cache-control", "max-age=7")], FeedFormat::Json, "unchanged 7"),
            (429, vec![], FeedFormat::Microsoft, "later 3600"),
            (429, vec![("retry-after", "120")], FeedFormat::Json, "later 120"),
            (429, vec![("retry-after", soon)], FeedFormat::Json, "later 600"),
            (429, vec![("retry-after", past)], FeedFormat::Json, "later 0"),
            (429, vec![("retry-after", "soon")], FeedFormat::Json, "later 3600"),
            (503, vec![("retry-after", "5")], FeedFormat::Json, "later 5"),
            (503, vec![], FeedFormat::Json, "no answer: the server answers 503 Service Unavailable"),
            (500, vec![], FeedFormat::Json, "no answer: the server answers 500 Internal Server Error"),
            (408, vec![], FeedFormat::Json, "no answer: the server answers 408 Request Timeout"),
            (404, vec![], FeedFormat::Json, "the server answers 404 Not Found"),
            (410, vec![], FeedFormat::Json, "the server answers 410 Gone"),
            (204, vec![], FeedFormat::Json, "the server answers 204 No Content"),
            (206, vec![], FeedFormat::Json, "the server answers 206 Partial Content"),
        ] {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            let found = match read(StatusCode::from_u16(status).unwrap(), &map, format, now) {
                Ok(Reply::Document { ttl, .. }) => format!("document {}", ttl.as_secs()),
                Ok(Reply::Unchanged { ttl }) => format!("unchanged {}", ttl.as_secs()),
                Err(SourceError::Later(time)) => format!("later {}", time.as_secs()),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, want, "{status} {headers:?}");
        }
    }
}
