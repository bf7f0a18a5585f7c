// SPDX-License-Identifier: GPL-3.0-or-later
//! The recipient of a message: what the MTA will deliver to, beside what the client wrote.
//!
//! `ann%a.example`, `a.example!ann`, `"ann@a.example"` and a dozen more spellings all reach ann@a.example in Postfix
//! and Sendmail. Only the MTA knows what it makes of them, so its word (the macro `{rcpt_addr}`) counts. Without that
//! word, or where it names nobody, only an argument that can mean one thing is believed.

use super::mailbox::{is_dot_string, strip_brackets};
use super::{Domain, Escaped, Mailbox};
use std::fmt;

/// A recipient as an MTA presents it.
#[derive(Clone, Debug)]
pub struct Recipient {
    argument: Box<[u8]>,
    delivered: Option<Mailbox>,
    written: Option<Mailbox>,
}

impl Recipient {
    /// Takes RCPT's argument, the MTA's `{rcpt_addr}` where it gave one, and the MTA's own host name.
    ///
    /// Sendmail's `{rcpt_addr}` for a local mailbox is a bare user name; the domain is then the one that was written,
    /// and a recipient written without any domain (`<postmaster>`, RFC 5321 4.1.1.3) is at the MTA itself.
    pub fn new(argument: &[u8], resolved: Option<&[u8]>, mta_name: Option<&str>) -> Self {
        let written = Mailbox::parse_plain(argument);
        let delivered = match resolved {
            Some(address) if address.contains(&b'@') => {
                strip_brackets(address).and_then(|address| Mailbox::parse(address).ok())
            }
            Some(_) => written.clone().or_else(|| at_mta(argument, mta_name)),
            None => written.clone(),
        };
        Self { argument: argument.into(), delivered, written }
    }

    /// A recipient of which nobody can tell where it is.
    pub fn unclear(argument: &[u8]) -> Self {
        Self { argument: argument.into(), delivered: None, written: None }
    }

    /// A recipient that is known to be this mailbox.
    pub fn at(mailbox: Mailbox) -> Self {
        let argument = [b"<", mailbox.written(), b">"].concat();
        Self { argument: argument.into(), written: Some(mailbox.clone()), delivered: Some(mailbox) }
    }

    /// Where the message would be delivered; nothing when that is unclear, which is never a "no".
    pub fn mailbox(&self) -> Option<&Mailbox> {
        self.delivered.as_ref()
    }

    /// The mailbox that the client plainly named. It differs from [`Self::mailbox`] where the MTA rewrites addresses,
    /// such as Sendmail's virtusertable.
    pub fn written_mailbox(&self) -> Option<&Mailbox> {
        self.written.as_ref()
    }

    /// Everything in the argument that reads as a domain, wherever it stands.
    pub fn named_domains(&self) -> impl Iterator<Item = Domain> {
        let pieces = self.argument.split(|b| b"@%!:;,<>()\"\\ \t".contains(b));
        pieces.filter_map(|piece| Domain::parse(std::str::from_utf8(piece).ok()?).ok())
    }

    /// RCPT's argument, verbatim.
    pub fn argument(&self) -> &[u8] {
        &self.argument
    }
}

/// `<postmaster>` is `<postmaster@the MTA's own name>`.
fn at_mta(argument: &[u8], mta_name: Option<&str>) -> Option<Mailbox> {
    let local = std::str::from_utf8(strip_brackets(argument)?).ok()?;
    if !is_dot_string(local) || local.contains(['%', '!']) {
        return None;
    }
    Mailbox::parse(format!("{local}@{}", mta_name?).as_bytes()).ok()
}

impl fmt::Display for Recipient {
    /// The argument as the client wrote it, escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.argument).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mta_decides_where_a_recipient_is() {
        for (argument, resolved, want) in [
            ("<ann@a.example>", Some("ann@a.example"), Some("ann@a.example")),
            ("<ann%a.example>", Some("ann@a.example"), Some("ann@a.example")),
            (r#"<"ann@a.example">"#, Some("ann@a.example"), Some("ann@a.example")),
            ("<ann@old.example>", Some("ann@new.example"), Some("ann@new.example")),
            ("<ann@a.example>", Some("<ann@a.example>"), Some("ann@a.example")),
            // Sendmail, local mailer: the user alone.
            ("<ann@a.example>", Some("ann"), Some("ann@a.example")),
            ("<postmaster>", Some("postmaster"), Some("postmaster@mx.example")),
            ("<ann%a.example>", Some("ann"), None),
            (r#"<"ann@a.example">"#, Some("ann"), None),
            // No macro at all: only what is plain.
            ("<ann@a.example>", None, Some("ann@a.example")),
            ("<ann%a.example>", None, None),
            ("<postmaster>", None, None),
            // The MTA's word cannot be read.
            ("<ann@a.example>", Some("ann@a exa mple"), None),
            ("<ann@a.example>", Some("ann@"), None),
        ] {
            let recipient =
                Recipient::new(argument.as_bytes(), resolved.map(str::as_bytes), Some("mx.example"));
            let got = recipient.mailbox().map(ToString::to_string);
            assert_eq!(got.as_deref(), want, "{argument} {resolved:?}");
        }
    }

    #[test]
    fn no_host_name_no_bare_recipient() {
        assert!(Recipient::new(b"<postmaster>", Some(b"postmaster"), None).mailbox().is_none());
    }
}
