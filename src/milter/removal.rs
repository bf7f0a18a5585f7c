// SPDX-License-Identifier: GPL-3.0-or-later
//! How to name a recipient to the MTA so that it removes just this one.
//!
//! Sendmail compares with the argument as the client wrote it. Postfix compares with the address that it made of the
//! argument, in its original case, while `{rcpt_addr}` is in lower case; for source routes and groups only the address
//! within the argument matches. Naming one recipient in two spellings is harmless to both.

use crate::mail::Recipient;

/// The spellings to send, or nothing when none is sure to match: then the recipient cannot be removed.
pub(super) fn spellings(recipient: &Recipient) -> Option<Vec<Box<[u8]>>> {
    let argument = recipient.argument();
    let mut spellings = vec![Box::from(argument)];
    if recipient.written_mailbox().is_some() {
        return Some(spellings);
    }
    let address = recipient.mailbox()?.written();
    let within = argument.windows(address.len()).find(|part| part.eq_ignore_ascii_case(address));
    // A colon makes a route or a group of it, where Postfix knows the inner address only.
    if within.is_none() && argument.contains(&b':') {
        return None;
    }
    spellings.push(within.unwrap_or(address).into());
    Some(spellings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_is_named_so_that_it_matches() {
        for (argument, resolved, want) in [
            ("<Ann@A.Example>", "ann@a.example", Some(&["<Ann@A.Example>"][..])),
            ("<Ann%A.Example>", "ann@a.example", Some(&["<Ann%A.Example>", "ann@a.example"])),
            ("<@r1:Ann@a.example>", "ann@a.example", Some(&["<@r1:Ann@a.example>", "Ann@a.example"])),
            ("<g:Ann@a.example;>", "ann@a.example", Some(&["<g:Ann@a.example;>", "Ann@a.example"])),
            ("<g:A.Example!Ann;>", "ann@a.example", None),
        ] {
            let recipient = Recipient::new(argument.as_bytes(), Some(resolved.as_bytes()), None);
            let got = spellings(&recipient);
            let got: Option<Vec<_>> =
                got.as_ref().map(|all| all.iter().map(|s| str::from_utf8(s).unwrap()).collect());
            assert_eq!(got.as_deref(), want, "{argument}");
        }
        assert!(spellings(&Recipient::new(b"<ann%a.example>", None, None)).is_none());
    }
}
