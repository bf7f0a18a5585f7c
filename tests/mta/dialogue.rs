// SPDX-License-Identifier: GPL-3.0-or-later
//! A dialogue: what a client says in one session, what it is to hear, and where its messages are to end.
//!
//! What holds for every message need not be said. Each recipient that is accepted is delivered to, unless
//! the dialogue says otherwise, and to nobody else; the text is unchanged; one loop token of ours is on it
//! and no other `X-Postern-` line, and none by which a gateway is known; nothing is on hold. Each reply with which Postern refuses is one line
//! of printable ASCII with a reference at its end.

use std::net::IpAddr;

use crate::mta::Shows;

/// The client that is a gateway.
pub(crate) const GATEWAY: &str = "127.0.0.2";
/// A client that is nobody's gateway.
pub(crate) const STRANGER: &str = "127.0.0.5";
/// A client in the internal networks.
pub(crate) const INTERNAL: &str = "127.0.0.9";
/// The only IPv6 client there is; the gateway of six.example.
pub(crate) const SIX: &str = "::1";

/// The name of the header line by which gateways are known.
pub(crate) const SECRET_HEADER: &str = "X-Seg-Id";

/// Our loop token.
pub(crate) const OURS: &str = "gate.test.example";

/// The reply that a command is to get.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// 2xx.
    Accepted,
    /// A refusal by Postern: code and enhanced code, `550 5.7.1`.
    Refused(&'static str),
    /// A refusal by Postern or by the mail server itself, with a code that begins like this.
    NotAccepted(&'static str),
    /// Whatever it is, the message's fate must agree with it.
    Anything,
}

/// One session.
pub(crate) struct Dialogue {
    pub(crate) name: String,
    pub(crate) client: IpAddr,
    pub(crate) tls: Option<Shows>,
    pub(crate) helo: &'static [u8],
    pub(crate) before: Vec<String>,
    pub(crate) mails: Vec<Mail>,
}

/// One message of a session.
pub(crate) struct Mail {
    pub(crate) sender: &'static str,
    pub(crate) parameters: &'static str,
    pub(crate) smtputf8: bool,
    pub(crate) recipients: Vec<(Vec<u8>, Want)>,
    pub(crate) headers: String,
    pub(crate) end: Want,
    pub(crate) delivered: Delivered,
    pub(crate) held: Option<(Vec<&'static str>, &'static str)>,
    pub(crate) loops: Vec<&'static str>,
    pub(crate) tags: Vec<&'static str>,
    pub(crate) secrets: Vec<&'static str>,
}

/// To whom a message is delivered.
pub(crate) enum Delivered {
    /// To each accepted recipient, as the client wrote it.
    AsAccepted,
    /// To one mailbox for each accepted recipient, however the server writes it.
    Somehow,
    /// To these.
    To(Vec<&'static str>),
}

/// Begins a dialogue: its name says what it shows.
pub(crate) fn dialogue(name: impl Into<String>, client: &str) -> Dialogue {
    let client = client.parse().expect("an address");
    Dialogue {
        name: name.into(),
        client,
        tls: None,
        helo: b"EHLO client.example",
        before: Vec::new(),
        mails: Vec::new(),
    }
}

/// Begins a dialogue of a client with any address. A proxy that Postfix trusts tells it with XCLIENT.
pub(crate) fn proxied(name: impl Into<String>, client: IpAddr) -> Dialogue {
    let family = if client.is_ipv4() { "" } else { "IPV6:" };
    let xclient = format!("XCLIENT NAME=[UNAVAILABLE] ADDR={family}{client}");
    dialogue(name, "127.0.0.1").before(&[&xclient, "EHLO client.example"])
}

impl Dialogue {
    /// Begins TLS before it greets, and shows the server's own certificate.
    pub(crate) fn tls(self) -> Self {
        self.shows(Shows::Servers)
    }

    /// Begins TLS before it greets, and shows this.
    pub(crate) fn shows(mut self, shows: Shows) -> Self {
        self.tls = Some(shows);
        self
    }

    /// Greets with this line instead of the usual one.
    pub(crate) fn helo(mut self, line: &'static [u8]) -> Self {
        self.helo = line;
        self
    }

    /// Says this after the greeting.
    pub(crate) fn before(mut self, lines: &[&str]) -> Self {
        self.before = lines.iter().map(ToString::to_string).collect();
        self
    }

    /// Begins a message from this sender, without brackets.
    pub(crate) fn mail(mut self, sender: &'static str) -> Self {
        self.mails.push(Mail {
            sender,
            parameters: "",
            smtputf8: false,
            recipients: Vec::new(),
            headers: String::new(),
            end: Want::Accepted,
            delivered: Delivered::AsAccepted,
            held: None,
            loops: vec![OURS],
            tags: Vec::new(),
            secrets: Vec::new(),
        });
        self
    }

    /// Gives MAIL these parameters.
    pub(crate) fn parameters(mut self, parameters: &'static str) -> Self {
        self.last().parameters = parameters;
        self
    }

    /// Announces SMTPUTF8 where the server knows it.
    pub(crate) fn smtputf8(mut self) -> Self {
        self.last().smtputf8 = true;
        self
    }

    /// Adds a recipient, without brackets.
    pub(crate) fn to(self, recipient: &str, want: Want) -> Self {
        self.argument(format!("<{recipient}>").as_bytes(), want)
    }

    /// Adds a recipient that is accepted, without brackets.
    pub(crate) fn ok(self, recipient: &str) -> Self {
        self.to(recipient, Want::Accepted)
    }

    /// Adds a recipient that Postern refuses, without brackets.
    pub(crate) fn no(self, recipient: &str, reply: &'static str) -> Self {
        self.to(recipient, Want::Refused(reply))
    }

    /// Adds a recipient that is accepted, or refused by Postern with this reply; without brackets.
    pub(crate) fn add(self, recipient: &str, want: Result<(), &'static str>) -> Self {
        self.to(recipient, want.map_or_else(Want::Refused, |()| Want::Accepted))
    }

    /// Adds a recipient: what follows `RCPT TO:`.
    pub(crate) fn argument(mut self, argument: &[u8], want: Want) -> Self {
        self.last().recipients.push((argument.to_vec(), want));
        self
    }

    /// Puts these header lines on the message.
    pub(crate) fn headers(mut self, lines: &[&str]) -> Self {
        self.last().headers.extend(lines.iter().flat_map(|line| [*line, "\r\n"]));
        self
    }

    /// What the client hears after the final dot.
    pub(crate) fn end(mut self, want: Want) -> Self {
        self.last().end = want;
        self
    }

    /// To whom it is delivered, when that is not to each accepted recipient.
    pub(crate) fn delivers(mut self, recipients: &[&'static str]) -> Self {
        self.last().delivered = Delivered::To(recipients.to_vec());
        self
    }

    /// Each accepted recipient gets it, however the server writes the address.
    pub(crate) fn delivers_somehow(mut self) -> Self {
        self.last().delivered = Delivered::Somehow;
        self
    }

    /// It is on hold for these recipients, and in no way delivered.
    pub(crate) fn held(mut self, recipients: &[&'static str], reason: &'static str) -> Self {
        self.last().held = Some((recipients.to_vec(), reason));
        self.delivers(&[])
    }

    /// The ids of its loop tokens, when that is not ours alone.
    pub(crate) fn loops(mut self, ids: &[&'static str]) -> Self {
        self.last().loops = ids.to_vec();
        self
    }

    /// The reasons of its tags.
    pub(crate) fn tags(mut self, reasons: &[&'static str]) -> Self {
        self.last().tags = reasons.to_vec();
        self
    }

    /// The values of the gateway's header line that are left on it.
    pub(crate) fn secrets(mut self, values: &[&'static str]) -> Self {
        self.last().secrets = values.to_vec();
        self
    }

    fn last(&mut self) -> &mut Mail {
        self.mails.last_mut().expect("mail() comes first")
    }
}
