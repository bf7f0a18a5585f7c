// SPDX-License-Identifier: GPL-3.0-or-later
//! What is sent back to the MTA, as octets.
//!
//! A reply is one line, `CODE ENHANCED TEXT (ref REFERENCE)`, built here and nowhere else: percent signs are doubled
//! (Postfix drops a lone one, Sendmail then drops the whole text), exactly one NUL ends it (without it Postfix would
//! send what lies behind in its memory), and nothing but printable ASCII is in it, because [`Reply`] holds nothing else.

use crate::gate::Reference;
use crate::mail::Reply;
use bytes::{BufMut, Bytes, BytesMut};
use indymilter::message::Message;
use indymilter::message::reply::ReplyKind;
use std::fmt::Write;

/// An answer without content.
pub(super) fn plain(kind: ReplyKind) -> Message {
    Message::new(kind, Bytes::new())
}

/// A refusal.
pub(super) fn refusal(reply: &Reply, reference: Reference) -> Message {
    let mut line = String::with_capacity(reply.text().len() + 40);
    // Writing to a string does not fail.
    let _ = write!(line, "{} {} ", reply.code(), reply.enhanced());
    for c in reply.text().chars() {
        line.push(c);
        if c == '%' {
            line.push('%');
        }
    }
    let _ = write!(line, " (ref {reference})\0");
    Message::new(ReplyKind::ReplyCode, line.into_bytes())
}

/// Adds a header line at the end.
pub(super) fn add_header(name: &str, value: &str) -> Message {
    strings(ReplyKind::AddHeader, &[], &[name.as_bytes(), value.as_bytes()])
}

/// Removes a header line: an empty value says so.
pub(super) fn remove_header(name: &[u8], index: u32) -> Message {
    strings(ReplyKind::ChangeHeader, &index.to_be_bytes(), &[name, b""])
}

/// Adds a recipient.
pub(super) fn add_recipient(address: &[u8]) -> Message {
    strings(ReplyKind::AddRcpt, &[], &[address])
}

/// Removes a recipient.
pub(super) fn delete_recipient(address: &[u8]) -> Message {
    strings(ReplyKind::DeleteRcpt, &[], &[address])
}

/// Holds the message.
pub(super) fn quarantine(reason: &str) -> Message {
    strings(ReplyKind::Quarantine, &[], &[reason.as_bytes()])
}

fn strings(kind: ReplyKind, head: &[u8], strings: &[&[u8]]) -> Message {
    let mut payload =
        BytesMut::with_capacity(head.len() + strings.iter().map(|s| s.len() + 1).sum::<usize>());
    payload.put_slice(head);
    for string in strings {
        // Strings here come from NUL-terminated packets or from us, so none has a NUL within.
        payload.put_slice(string);
        payload.put_u8(0);
    }
    Message::new(kind, payload.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Gate, Judge};
    use crate::mail::{EnhancedCode, ReplyText};
    use indymilter::message::reply;

    #[test]
    fn a_reply_doubles_percent_signs_and_ends_in_one_nul() {
        let text = ReplyText::parse("100% sure, %s").unwrap();
        let reply = Reply::new(550, EnhancedCode::parse("5.7.1").unwrap(), text).unwrap();
        let gate = Gate::new(crate::policy::Policy::default());
        let recipient = crate::mail::Recipient::new(b"x", None, None);
        let (session, message) = (&<_>::default(), &<_>::default());
        let case = crate::gate::Case { id: gate.session_id(), session, message, sees_headers: true };
        let reference = gate.overdue(&gate.policy(), case, &recipient).reference;
        let message = refusal(&reply, reference);
        assert_eq!(message.buffer.iter().position(|&b| b == 0), Some(message.buffer.len() - 1));
        let want = format!("550 5.7.1 100%% sure, %%s (ref {reference})\0");
        assert_eq!(message.buffer, want.as_bytes());
        assert!(matches!(reply::Reply::parse_reply(message), Ok(reply::Reply::ReplyCode { .. })));
    }

    #[test]
    fn edits_parse_as_what_they_are() {
        for message in [
            add_header("X-Postern-Tag", "a"),
            remove_header(b"X-Postern-Tag", 2),
            add_recipient(b"<a@b>"),
            delete_recipient(b"<a@b>"),
            quarantine("why"),
            plain(ReplyKind::Continue),
        ] {
            assert!(reply::Reply::parse_reply(message.clone()).is_ok(), "{message:?}");
        }
        assert_eq!(
            reply::Reply::parse_reply(remove_header(b"X-A", 2)).unwrap(),
            reply::Reply::ChangeHeader { name: c"X-A".into(), index: 2, value: c"".into() }
        );
    }
}
