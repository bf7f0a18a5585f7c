// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests as octets: `name=value` lines, each ended by a line feed, and an empty line that ends the request
//! (SMTPD_POLICY_README). Nothing else is a request, and no request is looked at before all of it is there.
//!
//! Read as Postfix itself reads such lines (`attr_scan_plain.c`): the order does not matter, unknown attributes are passed
//! over, of two with one name the first counts, at most 1024 are taken, and a line without `=` is an error. Postfix
//! writes values as they are: they may hold any octet but NUL and line feed, so a carriage return belongs to its value.
//! Longest request 64 KiB, longest line 8 KiB; Postfix stays below 4 KiB and below 2 KiB and some.

/// Longest request, with its empty line.
pub const MAX_REQUEST: usize = 64 << 10;
/// Longest line, without its line feed. Postfix cuts SMTP commands at 2048 (`line_length_limit`).
const MAX_LINE: usize = 8 << 10;
/// Most attributes (`ATTR_HASH_LIMIT`).
const MAX_ATTRIBUTES: usize = 1024;

/// The peer does not speak the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Garbage {
    /// The request does not end.
    #[error("a request is longer than {MAX_REQUEST} octets")]
    TooLong,
    /// A line does not end.
    #[error("a line is longer than {MAX_LINE} octets")]
    LongLine,
    /// More attributes than anyone needs.
    #[error("a request has more than {MAX_ATTRIBUTES} attributes")]
    TooMany,
    /// A line without `=`, or without anything before it.
    #[error("a line is no name=value")]
    Line,
    /// A NUL, which no string of an MTA has.
    #[error("a request has a NUL in it")]
    Nul,
    /// No `request=smtpd_access_policy`.
    #[error("a request is not for an access policy")]
    NoAccessPolicy,
    /// No `protocol_state`.
    #[error("a request does not say at which SMTP command it was made")]
    NoState,
}

/// The SMTP command that is under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// A recipient is named.
    Rcpt,
    /// The content is about to come; all recipients are known.
    Data,
    /// The content has come.
    EndOfMessage,
    /// CONNECT, HELO, EHLO, MAIL, VRFY, ETRN, and whatever may be added: nothing about one recipient.
    Other,
}

/// One request. Attributes that are empty are as good as missing: Postfix sends all of them, always.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Request<'a> {
    /// What is asked.
    pub(super) request: Option<&'a [u8]>,
    /// See [`Request::state`].
    pub(super) protocol_state: Option<&'a [u8]>,
    /// The client's address, or `unknown`.
    pub client_address: Option<&'a [u8]>,
    /// The client's verified host name, or `unknown`.
    pub client_name: Option<&'a [u8]>,
    /// The client's port.
    pub client_port: Option<&'a [u8]>,
    /// The address that the client has connected to.
    pub server_address: Option<&'a [u8]>,
    /// The port that the client has connected to.
    pub server_port: Option<&'a [u8]>,
    /// HELO's argument.
    pub helo_name: Option<&'a [u8]>,
    /// The envelope sender without brackets and quotes; nothing for the null sender.
    pub sender: Option<&'a [u8]>,
    /// The recipient without brackets and quotes; at DATA and later only where there is one alone.
    pub recipient: Option<&'a [u8]>,
    /// The queue id, which there is from the second recipient on.
    pub queue_id: Option<&'a [u8]>,
    /// The name of the message: the SMTP session's, a dot, and a number.
    pub instance: Option<&'a [u8]>,
    /// The SASL mechanism.
    pub sasl_method: Option<&'a [u8]>,
    /// The name that the client has logged in with.
    pub sasl_username: Option<&'a [u8]>,
    /// The common name of a trusted client certificate, in xtext.
    pub ccert_subject: Option<&'a [u8]>,
    /// The digest of the client's certificate, trusted or not.
    pub ccert_fingerprint: Option<&'a [u8]>,
    /// The digest of its public key.
    pub ccert_pubkey_fingerprint: Option<&'a [u8]>,
}

/// The first request, and how many octets it takes up, if all of it is there.
///
/// # Errors
/// When what is there can be no request.
pub fn first(heard: &[u8]) -> Result<Option<(Request<'_>, usize)>, Garbage> {
    let (mut request, mut attributes, mut at) = (Request::default(), 0, 0);
    while let Some(length) = heard[at..].iter().position(|&b| b == b'\n') {
        let line = &heard[at..at + length];
        at += length + 1;
        if at > MAX_REQUEST {
            return Err(Garbage::TooLong);
        }
        if line.is_empty() {
            return request.check().map(|()| Some((request, at)));
        }
        attributes += 1;
        if attributes > MAX_ATTRIBUTES {
            return Err(Garbage::TooMany);
        }
        request.take(line)?;
    }
    let rest = &heard[at..];
    if heard.len() >= MAX_REQUEST {
        return Err(Garbage::TooLong);
    }
    if rest.len() > MAX_LINE {
        return Err(Garbage::LongLine);
    }
    if rest.contains(&0) {
        return Err(Garbage::Nul);
    }
    Ok(None)
}

impl<'a> Request<'a> {
    fn take(&mut self, line: &'a [u8]) -> Result<(), Garbage> {
        if line.len() > MAX_LINE {
            return Err(Garbage::LongLine);
        }
        if line.contains(&0) {
            return Err(Garbage::Nul);
        }
        let equals = line.iter().position(|&b| b == b'=').filter(|&at| at > 0).ok_or(Garbage::Line)?;
        let place = match &line[..equals] {
            b"request" => &mut self.request,
            b"protocol_state" => &mut self.protocol_state,
            b"client_address" => &mut self.client_address,
            b"client_name" => &mut self.client_name,
            b"client_port" => &mut self.client_port,
            b"server_address" => &mut self.server_address,
            b"server_port" => &mut self.server_port,
            b"helo_name" => &mut self.helo_name,
            b"sender" => &mut self.sender,
            b"recipient" => &mut self.recipient,
            b"queue_id" => &mut self.queue_id,
            b"instance" => &mut self.instance,
            b"sasl_method" => &mut self.sasl_method,
            b"sasl_username" => &mut self.sasl_username,
            b"ccert_subject" => &mut self.ccert_subject,
            b"ccert_fingerprint" => &mut self.ccert_fingerprint,
            b"ccert_pubkey_fingerprint" => &mut self.ccert_pubkey_fingerprint,
            _ => return Ok(()),
        };
        // The first counts, even where it is empty.
        place.get_or_insert(&line[equals + 1..]);
        Ok(())
    }

    /// Holds the finished request against what each must have, and forgets what is empty.
    fn check(&mut self) -> Result<(), Garbage> {
        let Self {
            request,
            protocol_state,
            client_address,
            client_name,
            client_port,
            server_address,
            server_port,
            helo_name,
            sender,
            recipient,
            queue_id,
            instance,
            sasl_method,
            sasl_username,
            ccert_subject,
            ccert_fingerprint,
            ccert_pubkey_fingerprint,
        } = self;
        if *request != Some(b"smtpd_access_policy") {
            return Err(Garbage::NoAccessPolicy);
        }
        if protocol_state.is_none_or(<[u8]>::is_empty) {
            return Err(Garbage::NoState);
        }
        for value in [
            client_address,
            client_name,
            client_port,
            server_address,
            server_port,
            helo_name,
            sender,
            recipient,
            queue_id,
            instance,
            sasl_method,
            sasl_username,
            ccert_subject,
            ccert_fingerprint,
            ccert_pubkey_fingerprint,
        ] {
            *value = value.filter(|value| !value.is_empty());
        }
        Ok(())
    }

    /// At which SMTP command it was made. Postfix says DATA for BDAT too.
    pub fn state(&self) -> State {
        match self.protocol_state {
            Some(b"RCPT") => State::Rcpt,
            Some(b"DATA" | b"BDAT") => State::Data,
            Some(b"END-OF-MESSAGE") => State::EndOfMessage,
            Some(_) | None => State::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "request=smtpd_access_policy\nprotocol_state=RCPT\n";

    fn read(text: &str) -> Result<Option<(Request<'_>, usize)>, Garbage> {
        first(text.as_bytes())
    }

    #[test]
    fn a_request_is_whole_or_not_there() {
        let text = format!("{HEAD}recipient=ann@a.example\nunknown=x=y\n\nrequest=");
        let end = text.len() - "request=".len();
        for cut in 0..=text.len() {
            let got = read(&text[..cut]).unwrap();
            assert_eq!(got.is_some(), cut >= end, "{cut}");
            if let Some((request, extent)) = got {
                assert_eq!((request.recipient, extent), (Some(&b"ann@a.example"[..]), end));
                assert_eq!(request.state(), State::Rcpt);
            }
        }
    }

    #[test]
    fn values_are_taken_as_they_are() {
        for (line, want) in [
            ("recipient=a=b@a.example", Some("a=b@a.example")),
            ("recipient= ann@a.example ", Some(" ann@a.example ")),
            ("recipient=ann@a.example\r", Some("ann@a.example\r")),
            ("recipient=grün@a.example", Some("grün@a.example")),
            ("recipient=", None),
            ("recipient=ann@a.example\nrecipient=bob@a.example", Some("ann@a.example")),
            ("recipient=\nrecipient=bob@a.example", None),
            ("Recipient=ann@a.example", None),
            (" recipient=ann@a.example", None),
        ] {
            let text = format!("{HEAD}{line}\n\n");
            let (request, _) = read(&text).unwrap().unwrap();
            assert_eq!(request.recipient, want.map(str::as_bytes), "{line:?}");
        }
    }

    #[test]
    fn garbage_is_told() {
        let attributes = |count: usize| "a=b\n".repeat(count);
        let filled =
            |length: usize| format!("{HEAD}{}", format!("{}=\n", "x".repeat(1022)).repeat(length / 1024 + 1));
        for (text, want) in [
            ("\n".to_owned(), Garbage::NoAccessPolicy),
            ("protocol_state=RCPT\n\n".to_owned(), Garbage::NoAccessPolicy),
            ("request=junk\nprotocol_state=RCPT\n\n".to_owned(), Garbage::NoAccessPolicy),
            (
                "request=junk\nrequest=smtpd_access_policy\nprotocol_state=RCPT\n\n".to_owned(),
                Garbage::NoAccessPolicy,
            ),
            ("request=smtpd_access_policy\r\n\r\n".to_owned(), Garbage::Line),
            ("request=smtpd_access_policy\n\n".to_owned(), Garbage::NoState),
            ("request=smtpd_access_policy\nprotocol_state=\n\n".to_owned(), Garbage::NoState),
            ("GET / HTTP/1.1\nHost: x\n\n".to_owned(), Garbage::Line),
            (format!("{HEAD}=x\n\n"), Garbage::Line),
            (format!("{HEAD}recipient=a\0b\n\n"), Garbage::Nul),
            ("\0".to_owned(), Garbage::Nul),
            (format!("{HEAD}{}\n\n", attributes(1023)), Garbage::TooMany),
            (format!("{HEAD}a={}\n\n", "x".repeat(MAX_LINE)), Garbage::LongLine),
            ("x".repeat(MAX_LINE + 1), Garbage::LongLine),
            (filled(MAX_REQUEST), Garbage::TooLong),
        ] {
            assert_eq!(read(&text).map(|got| got.is_some()), Err(want), "{:?}", &text[..text.len().min(60)]);
        }
        let most = format!("{HEAD}{}\n", attributes(MAX_ATTRIBUTES - 2));
        assert!(read(&most).unwrap().is_some());
        let longest = format!("{HEAD}a={}\n\n", "x".repeat(MAX_LINE - 2));
        assert!(read(&longest).unwrap().is_some());
    }
}
