// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may hand us mail, and for whom: the source and recipient checks, over unix sockets and over TCP.

use crate::dialogue::Want::{Accepted, NotAccepted, Refused};
use crate::dialogue::{Dialogue, GATEWAY, INTERNAL, SIX, STRANGER, dialogue};
use crate::house::{CONFIG, House, Kind};
use crate::mta::{Extra, Transport};
use crate::play::play;

#[test]
fn on_postfix_over_unix() {
    play(&House::open(Kind::Postfix, Transport::Unix, CONFIG, &Extra::default()), &dialogues());
}

#[test]
fn on_postfix_over_tcp() {
    play(&House::open(Kind::Postfix, Transport::Tcp, CONFIG, &Extra::default()), &dialogues());
}

#[test]
fn on_sendmail_over_unix() {
    play(&House::open(Kind::Sendmail, Transport::Unix, CONFIG, &Extra::default()), &dialogues());
}

#[test]
fn on_sendmail_over_tcp() {
    play(&House::open(Kind::Sendmail, Transport::Tcp, CONFIG, &Extra::default()), &dialogues());
}

#[test]
fn on_postfix_over_tcp_and_ipv6() {
    play(&House::open(Kind::Postfix, Transport::Tcp6, CONFIG, &Extra::default()), &sources());
}

#[test]
fn on_sendmail_over_tcp_and_ipv6() {
    play(&House::open(Kind::Sendmail, Transport::Tcp6, CONFIG, &Extra::default()), &sources());
}

const NOT_GATEWAY: &str = "550 5.7.1";
const UNKNOWN: &str = "550 5.1.1";

pub(crate) fn dialogues() -> Vec<Dialogue> {
    [sources(), recipients(), sessions(), replies()].into_iter().flatten().collect()
}

fn sources() -> Vec<Dialogue> {
    vec![
        dialogue("the gateway's mail is accepted", GATEWAY).mail("eve@sender.example").ok("ann@a.example"),
        dialogue("direct delivery is refused", STRANGER)
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY),
        dialogue("a stranger does not learn who exists", STRANGER)
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY)
            .no("nobody@a.example", NOT_GATEWAY)
            .no("postmaster@a.example", NOT_GATEWAY)
            .no("abuse@a.example", NOT_GATEWAY),
        dialogue("the gateway's null sender is accepted", GATEWAY).mail("").ok("ann@a.example"),
        dialogue("a stranger's null sender is refused", STRANGER).mail("").no("ann@a.example", NOT_GATEWAY),
        dialogue("a sender at our own domain makes no gateway", STRANGER)
            .mail("bob@a.example")
            .no("ann@a.example", NOT_GATEWAY),
        dialogue("an internal client may send to anybody", INTERNAL)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .ok("nobody@a.example")
            .ok("ann@six.example"),
        dialogue("loopback is not internal by itself", "127.0.0.1")
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY),
        dialogue("a gateway over IPv6 is accepted", SIX).mail("eve@sender.example").ok("ann@six.example"),
        dialogue("a gateway of one domain is a stranger to another", SIX)
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY)
            .ok("ann@six.example"),
        dialogue("another domain's gateway over IPv4", GATEWAY)
            .mail("eve@sender.example")
            .no("ann@six.example", NOT_GATEWAY),
        dialogue("a domain that is its own first hop takes mail from anybody", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@open.example")
            .no("nobody@open.example", UNKNOWN),
        dialogue("a domain that is not listed is the mail server's affair", STRANGER)
            .mail("eve@sender.example")
            .ok("anybody@unlisted.example")
            .loops(&[]),
        dialogue("listed and unlisted recipients together", STRANGER)
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY)
            .ok("anybody@unlisted.example")
            .loops(&[]),
        dialogue("a wildcard covers any depth", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@x.sub.example")
            .ok("ann@y.x.sub.example"),
        dialogue("a wildcard refuses strangers at any depth", STRANGER)
            .mail("eve@sender.example")
            .no("ann@x.sub.example", NOT_GATEWAY)
            .no("ann@y.x.sub.example", NOT_GATEWAY),
        dialogue("a wildcard does not cover the domain itself", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@sub.example")
            .loops(&[]),
        dialogue("a deferred source", STRANGER)
            .mail("eve@sender.example")
            .no("ann@defer.example", "451 4.7.1"),
        dialogue("a deferred recipient", GATEWAY)
            .mail("eve@sender.example")
            .no("nobody@defer.example", "450 4.1.1")
            .ok("ann@defer.example"),
    ]
}

fn recipients() -> Vec<Dialogue> {
    vec![
        dialogue("an unknown recipient is refused", GATEWAY)
            .mail("eve@sender.example")
            .no("nobody@a.example", UNKNOWN),
        dialogue("one refused recipient leaves the others alone", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .no("nobody@a.example", UNKNOWN)
            .ok("bob@a.example"),
        dialogue("the first recipient refused", GATEWAY)
            .mail("eve@sender.example")
            .no("nobody@a.example", UNKNOWN)
            .no("nobody.else@a.example", UNKNOWN)
            .ok("bob@a.example"),
        dialogue("postmaster and abuse always exist", GATEWAY)
            .mail("eve@sender.example")
            .ok("postmaster@a.example")
            .ok("Abuse@a.example")
            .ok("PostMaster@b.example"),
        dialogue("a null sender to an unknown recipient", GATEWAY).mail("").no("nobody@a.example", UNKNOWN),
        dialogue("a subaddress", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann+news@a.example")
            .no("nobody+news@a.example", UNKNOWN),
        dialogue("a domain without subaddresses", GATEWAY)
            .mail("eve@sender.example")
            .no("ann+news@b.example", UNKNOWN)
            .ok("ann@b.example"),
        dialogue("upper case", GATEWAY).mail("EVE@Sender.Example").ok("ANN@A.EXAMPLE").ok("Bob@a.Example"),
        dialogue("upper case does not help a stranger", STRANGER)
            .mail("eve@sender.example")
            .no("ANN@A.EXAMPLE", NOT_GATEWAY),
        dialogue("an internationalized domain as A-label", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@xn--bcher-kva.example")
            .ok("Bob@XN--BCHER-kva.example")
            .no("nobody@xn--bcher-kva.example", UNKNOWN),
        dialogue("an internationalized domain as A-label from a stranger", STRANGER)
            .mail("eve@sender.example")
            .no("ann@xn--bcher-kva.example", NOT_GATEWAY),
        dialogue("an internationalized domain in UTF-8", GATEWAY)
            .mail("eve@sender.example")
            .smtputf8()
            .ok("ann@bücher.example")
            .ok("Bob@BüCHER.Example")
            .no("nobody@bücher.example", UNKNOWN),
        dialogue("an internationalized domain in UTF-8 from a stranger", STRANGER)
            .mail("eve@sender.example")
            .smtputf8()
            .no("ann@bücher.example", NOT_GATEWAY),
        dialogue("a quoted local part that needs no quotes", GATEWAY)
            .mail("eve@sender.example")
            .ok("\"ann\"@a.example")
            .no("\"nobody\"@a.example", UNKNOWN),
        dialogue("a quoted local part that needs them", GATEWAY)
            .mail("eve@sender.example")
            .ok("\"john doe\"@a.example")
            .no("\"jane doe\"@a.example", UNKNOWN),
        dialogue("a local part with an apostrophe", GATEWAY)
            .mail("eve@sender.example")
            .ok("o'hara@a.example"),
        dialogue("arguments after the address", GATEWAY)
            .mail("eve@sender.example")
            .parameters(" SIZE=2000 BODY=8BITMIME RET=HDRS ENVID=x")
            .argument(b"<ann@a.example> NOTIFY=NEVER", Accepted)
            .argument(b"<nobody@a.example> NOTIFY=NEVER ORCPT=rfc822;ann@a.example", Refused(UNKNOWN))
            .delivers(&["ann@a.example"]),
        dialogue("the same recipient twice", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .ok("ann@a.example")
            .delivers(&["ann@a.example"]),
    ]
}

fn sessions() -> Vec<Dialogue> {
    let crowd = dialogue("a hundred recipients, half of them unknown", GATEWAY).mail("eve@sender.example");
    let crowd = (0..50).fold(crowd, |crowd, number| {
        crowd.ok(&format!("person-{number}@x.sub.example")).no(&format!("person-{number}@a.example"), UNKNOWN)
    });
    vec![
        crowd,
        dialogue("two messages in one session", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .mail("mallory@sender.example")
            .ok("bob@a.example"),
        dialogue("a refused message does not touch the next", GATEWAY)
            .mail("eve@sender.example")
            .no("nobody@a.example", UNKNOWN)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .mail("")
            .no("nobody@a.example", UNKNOWN)
            .ok("bob@a.example"),
        dialogue("a message given up after its recipients", GATEWAY)
            .before(&["MAIL FROM:<eve@sender.example>", "RCPT TO:<bob@a.example>", "RSET"])
            .mail("eve@sender.example")
            .ok("ann@a.example"),
        dialogue("a second EHLO in the session", GATEWAY)
            .before(&["EHLO client.example", "HELO client.example"])
            .mail("eve@sender.example")
            .ok("ann@a.example"),
        dialogue("other commands in between", STRANGER)
            .before(&["NOOP", "VRFY ann@a.example", "NOOP"])
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY),
    ]
}

fn replies() -> Vec<Dialogue> {
    vec![
        dialogue("an admin's own reply, percent signs and all", STRANGER)
            .mail("eve@sender.example")
            .no("ann@words.example", "551 5.7.26")
            .no("ann@words.example", "551 5.7.26"),
        dialogue("percent signs in addresses", GATEWAY)
            .mail("100%25s%n@sender.example")
            .ok("100%true@a.example")
            .no("100%s%n%d@a.example", UNKNOWN)
            .no("%@a.example", UNKNOWN),
        dialogue("percent signs in addresses from a stranger", STRANGER)
            .mail("%s%s%s%n@sender.example")
            .no("%s%n@a.example", NOT_GATEWAY),
        dialogue("letters beyond ASCII in a local part", GATEWAY)
            .mail("ünder@sender.example")
            .smtputf8()
            .no("ünder@a.example", UNKNOWN)
            .ok("ann@a.example"),
        dialogue("a bare carriage return or a control character in an address", GATEWAY)
            .mail("eve@sender.example")
            .argument(b"<\"a\x07b\"@a.example>", NotAccepted("5"))
            .argument(b"<\"a\tb\"@a.example>", NotAccepted("5"))
            .argument(b"<\"a\x1b[31mb\"@a.example>", NotAccepted("5"))
            .ok("ann@a.example"),
        dialogue("odd HELO names", STRANGER)
            .helo(b"EHLO %s%n%d.example")
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY),
        dialogue("a HELO name with bytes beyond ASCII", STRANGER)
            .helo(b"HELO gr\xf6\xdfe.\xff.example")
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY),
        dialogue("a HELO name that is an address literal", GATEWAY)
            .helo(b"EHLO [127.0.0.2]")
            .mail("eve@sender.example")
            .ok("ann@a.example"),
        dialogue("long addresses", STRANGER).mail("eve@sender.example").no(LONG, NOT_GATEWAY),
        dialogue("a long unknown recipient", GATEWAY).mail("eve@sender.example").no(LONG, UNKNOWN),
    ]
}

const LONG: &str = "a-local-part-of-exactly-sixty-four-letters-as-the-standard-allows@a.example";
