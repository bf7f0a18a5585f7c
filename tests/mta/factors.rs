// SPDX-License-Identifier: GPL-3.0-or-later
//! Gateways that must show more than their address: a TLS certificate that the server trusts, a header line that only
//! they can write.

use crate::dialogue::Want::Refused;
use crate::dialogue::{Dialogue, GATEWAY, INTERNAL, STRANGER, dialogue};
use crate::house::{House, Kind};
use crate::mta::Shows::{self, Certificate, Nothing};
use crate::mta::{Extra, Tls, Transport};
use crate::play::play;

const CONFIG: &str = include_str!("factors.toml");
const NOT_GATEWAY: &str = "550 5.7.1";

const TRUSTING: Extra<'_> =
    Extra { tls: Tls::Authority, postfix: &[], sendmail: &[], sendmail_end: &[], sendmail_cf: &[] };

#[test]
fn certificates_in_postfix() {
    play(&House::open(Kind::Postfix, Transport::Tcp, CONFIG, &TRUSTING), &certificates());
}

#[test]
fn certificates_in_sendmail() {
    play(&House::open(Kind::Sendmail, Transport::Unix, CONFIG, &TRUSTING), &certificates());
}

#[test]
fn headers_in_postfix() {
    play(&House::open(Kind::Postfix, Transport::Unix, CONFIG, &TRUSTING), &headers());
}

#[test]
fn headers_in_sendmail() {
    play(&House::open(Kind::Sendmail, Transport::Unix, CONFIG, &TRUSTING), &headers());
}

/// What a client shows, and whether it is then the gateway that is known by address and certificate.
fn certificates() -> Vec<Dialogue> {
    let mut dialogues = Vec::new();
    for (shows, ours) in [
        (Certificate("host"), true),
        (Certificate("wildcard"), true),
        (Certificate("other"), false),
        (Certificate("disguised"), false),
        (Certificate("nameless"), false),
        (Certificate("expired"), false),
        (Certificate("self-signed"), false),
        (Nothing, false),
    ] {
        let both = if ours { Ok(()) } else { Err(NOT_GATEWAY) };
        let exact = if shows == Certificate("other") { Ok(()) } else { Err(NOT_GATEWAY) };
        let mut here = dialogue(format!("the gateway's address and {shows:?}"), GATEWAY).shows(shows);
        let mut elsewhere = dialogue(format!("another address and {shows:?}"), STRANGER).shows(shows);
        // What is known of a session holds for each of its messages.
        for _ in 0..2 {
            here = here
                .mail("eve@sender.example")
                .ok("ann@plain.example")
                .ok("ann@either.example")
                .add("ann@both.example", both)
                .add("ann@exact.example", exact);
            elsewhere = elsewhere
                .mail("eve@sender.example")
                .no("ann@plain.example", NOT_GATEWAY)
                .no("ann@both.example", NOT_GATEWAY)
                .no("postmaster@both.example", NOT_GATEWAY)
                .add("ann@either.example", both)
                .add("ann@exact.example", exact);
        }
        dialogues.extend([here, elsewhere]);
    }
    dialogues.push(
        dialogue("the gateway's address without TLS", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@plain.example")
            .no("ann@both.example", NOT_GATEWAY),
    );
    dialogues
}

const OLD: &str = "X-Seg-Id: the-old-secret-of-2025";
const NEW: &str = "X-Seg-Id: the-new-secret-of-2026";
const GUESS: &str = "X-Seg-Id: guess";

/// A header line is looked at when the message ends, and never delivered.
fn headers() -> Vec<Dialogue> {
    let gateway = |name: &str| dialogue(name, GATEWAY).mail("eve@sender.example");
    let shown = |name: &str, shows: Shows| dialogue(name, GATEWAY).shows(shows).mail("eve@sender.example");
    let refused = Refused(NOT_GATEWAY);
    vec![
        gateway("the old secret").ok("ann@marked.example").headers(&[OLD]),
        gateway("the new secret").ok("ann@marked.example").headers(&[NEW]),
        gateway("a folded line in other letters")
            .ok("ann@marked.example")
            .headers(&["x-SEG-id:\r\n\tthe-new-secret-of-2026"]),
        gateway("no secret").ok("ann@marked.example").end(refused).delivers(&[]),
        gateway("a wrong one").ok("ann@marked.example").headers(&[GUESS]).end(refused).delivers(&[]),
        gateway("another gateway's")
            .ok("ann@marked.example")
            .headers(&["X-Seg-Id: another-secret-of-2026"])
            .end(refused)
            .delivers(&[]),
        gateway("a guess above, and a guess below").ok("ann@marked.example").headers(&[
            GUESS,
            "X-Other: 1",
            NEW,
            "X-Other: 2",
            GUESS,
        ]),
        gateway("forged lines of ours between").ok("ann@marked.example").headers(&[
            "X-Postern-Tag: x",
            GUESS,
            "X-Postern-Tag: y",
            NEW,
        ]),
        gateway("two domains, of which one wants it")
            .ok("ann@plain.example")
            .ok("ann@marked.example")
            .headers(&[NEW]),
        gateway("two domains, and it is missing")
            .ok("ann@plain.example")
            .ok("ann@marked.example")
            .end(refused)
            .delivers(&[]),
        gateway("a domain that does not want it")
            .ok("ann@plain.example")
            .headers(&[NEW])
            .secrets(&["the-new-secret-of-2026"]),
        gateway("deferred where the mode is soft")
            .ok("ann@soft.example")
            .end(Refused("451 4.7.1"))
            .delivers(&[]),
        gateway("monitored").ok("ann@monitor.example").headers(&[GUESS]),
        gateway("held")
            .ok("ann@hold.example")
            .headers(&[GUESS])
            .held(&["ann@hold.example"], "source-not-gateway"),
        gateway("one message after another")
            .ok("ann@marked.example")
            .headers(&[NEW])
            .mail("eve@sender.example")
            .ok("ann@marked.example")
            .end(refused)
            .delivers(&[])
            .mail("eve@sender.example")
            .ok("ann@marked.example")
            .headers(&[OLD]),
        dialogue("a stranger who knows the secret", STRANGER)
            .mail("eve@sender.example")
            .no("ann@marked.example", NOT_GATEWAY)
            .ok("ann@monitor.example")
            .headers(&[NEW]),
        dialogue("an internal client", INTERNAL)
            .mail("eve@sender.example")
            .ok("ann@marked.example")
            .headers(&[NEW]),
        shown("all three", Certificate("host"))
            .ok("ann@three.example")
            .headers(&["X-Seg-Id: another-secret-of-2026"]),
        shown("two of three", Certificate("host"))
            .ok("ann@three.example")
            .headers(&[NEW])
            .end(refused)
            .delivers(&[]),
        shown("the other two of three", Certificate("other")).no("ann@three.example", NOT_GATEWAY),
        shown("one of several gateways, by its certificate", Certificate("other")).ok("ann@several.example"),
        shown("one of several gateways, by one header or the other", Certificate("host"))
            .ok("ann@several.example")
            .headers(&["X-Seg-Id: another-secret-of-2026"])
            .mail("eve@sender.example")
            .ok("ann@several.example")
            .headers(&[NEW])
            .mail("eve@sender.example")
            .ok("ann@several.example")
            .headers(&[GUESS])
            .end(refused)
            .delivers(&[]),
        shown("none of several gateways", Nothing).ok("ann@several.example").end(refused).delivers(&[]),
    ]
}
