// SPDX-License-Identifier: GPL-3.0-or-later
//! One recipient, written in every way that reaches it: Postern decides on what the mail server will
//! deliver to, so that no spelling lets a stranger in.

use crate::dialogue::Want::{Anything, NotAccepted};
use crate::dialogue::{Dialogue, GATEWAY, STRANGER, dialogue};
use crate::house::{CONFIG, House, Kind};
use crate::mta::{Extra, Transport};
use crate::play::play;

#[test]
fn on_postfix() {
    play(&House::usual(Kind::Postfix), &dialogues());
}

#[test]
fn on_sendmail() {
    play(&House::usual(Kind::Sendmail), &dialogues());
}

/// The server's own names are local to it, as in many a real configuration: `ann%a.example@mx` is then
/// one more way to write ann@a.example.
#[test]
fn by_way_of_postfix_itself() {
    let extra = Extra { postfix: &["mydestination = mx.test.example"], ..Extra::default() };
    play(&House::open(Kind::Postfix, Transport::Unix, CONFIG, &extra), &by_way_of("mx.test.example"));
}

/// The same with Sendmail.
#[test]
fn by_way_of_sendmail_itself() {
    let extra = Extra { sendmail_cf: &["Cwmx.test.example"], ..Extra::default() };
    play(&House::open(Kind::Sendmail, Transport::Unix, CONFIG, &extra), &by_way_of("mx.test.example"));
}

/// What follows `RCPT TO:`; each reaches ann@a.example in Postfix, in Sendmail, or in both.
const SPELLINGS: &[&str] = &[
    "<ann%a.example>",
    "<a.example!ann>",
    "<\"ann@a.example\">",
    "<ann@ a.example>",
    "<ann @a.example>",
    "< ann@a.example >",
    "<ann@a.example(x)>",
    "<(x)ann@a.example>",
    "<g:ann@a.example;>",
    "<Ann X <ann@a.example>>",
    "<@r1.example:ann@a.example>",
    "<@r1.example,@r2.example:ann@a.example>",
    "<ann@a.example.>",
    "<\"ann\"@a.example>",
    "<\"a\\nn\"@a.example>",
    "<\\ann@a.example>",
    "<Ann%A.Example>",
    "<A.Example!Ann>",
    "<a.example!ann@>",
    "<ann%a.example%>",
    "ann@a.example",
    "ann%a.example",
    "<ann%b.unlisted.example%a.example>",
    "<a.example!ann%b.unlisted.example>",
    "<b.unlisted.example!ann@a.example>",
    "<@a.example>",
    "<\"\"@a.example>",
];

pub(crate) fn dialogues() -> Vec<Dialogue> {
    let mut dialogues = vec![dialogue("plain", GATEWAY).mail("eve@sender.example").ok("ann@a.example")];
    for spelling in SPELLINGS {
        dialogues.extend(spelled(spelling.as_bytes(), spelling));
    }
    dialogues
}

pub(crate) fn by_way_of(server: &str) -> Vec<Dialogue> {
    let spellings = [
        format!("<ann%a.example@{server}>"),
        format!("<Ann%A.Example@{server}>"),
        format!("<\"ann@a.example\"@{server}>"),
        format!("<\"ann%a.example\"@{server}>"),
        format!("<a.example!ann@{server}>"),
        format!("<@{server}:ann@a.example>"),
        format!("<@{server}:ann%a.example@{server}>"),
        format!("<ann%a.example%{server}>"),
        format!("<{server}!a.example!ann>"),
        format!("<ann%a.example@{server}.>"),
    ];
    spellings.iter().flat_map(|spelling| spelled(spelling.as_bytes(), spelling)).collect()
}

/// The stranger never gets in, not even beside a recipient that anybody may write to. The gateway's mail
/// may be refused when it writes like this, but is not lost.
fn spelled(argument: &[u8], name: &str) -> [Dialogue; 3] {
    [
        dialogue(format!("{name} from a stranger"), STRANGER)
            .mail("eve@sender.example")
            .argument(argument, NotAccepted("")),
        dialogue(format!("{name} from a stranger, not alone"), STRANGER)
            .mail("eve@sender.example")
            .ok("anybody@unlisted.example")
            .argument(argument, NotAccepted(""))
            .delivers(&["anybody@unlisted.example"])
            .loops(&[]),
        dialogue(format!("{name} from the gateway"), GATEWAY)
            .mail("eve@sender.example")
            .ok("bob@a.example")
            .argument(argument, Anything)
            .delivers_somehow(),
    ]
}
