// SPDX-License-Identifier: GPL-3.0-or-later
//! Parts of an answer: when to come again, and the body up to a size.

use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// Why there is no body.
#[derive(Debug)]
pub enum BodyError {
    /// It has more octets than this.
    TooLarge(usize),
    /// It ended before it was whole, or too late.
    Broken(reqwest::Error),
}

/// The whole body; one with more than so many octets is not read to its end.
pub async fn body(mut response: Response, most: usize) -> Result<Vec<u8>, BodyError> {
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(BodyError::TooLarge(most));
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(BodyError::Broken)? {
        if body.len() + part.len() > most {
            return Err(BodyError::TooLarge(most));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// RFC 9110 10.2.3: seconds or a date.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    text.parse().map(Duration::from_secs).ok().or_else(|| until(text, now))
}

/// How long it is until a date; no time when it is over.
pub fn until(date: &str, now: SystemTime) -> Option<Duration> {
    let date = httpdate::parse_http_date(date).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}
