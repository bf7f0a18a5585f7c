// SPDX-License-Identifier: GPL-3.0-or-later
//! What the two servers do each in its own way: clients behind a proxy, logins, TLS, local and mapped
//! domains.

use crate::dialogue::Want::{NotAccepted, Refused};
use crate::dialogue::{Dialogue, GATEWAY, STRANGER, dialogue};
use crate::house::{CONFIG, House, Kind};
use crate::mta::{Extra, Tls, Transport};
use crate::play::play;

const NOT_GATEWAY: &str = "550 5.7.1";
const UNKNOWN: &str = "550 5.1.1";

/// Postfix learns the client from a proxy that it trusts, with XCLIENT.
#[test]
fn clients_behind_a_proxy() {
    let dialogue = |name: &str, xclient: &'static [&'static str]| {
        dialogue(name, "127.0.0.1").before(xclient).mail("eve@sender.example")
    };
    let dialogues = [
        dialogue(
            "a client without a known address",
            &["XCLIENT NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE]", EHLO],
        )
        .no("ann@a.example", "451 4.7.1")
        .ok("ann@open.example"),
        dialogue("a gateway behind the proxy", &["XCLIENT ADDR=127.0.0.2", EHLO]).ok("ann@a.example"),
        dialogue("a stranger behind the proxy", &["XCLIENT NAME=mail.gateway.example ADDR=192.0.2.1", EHLO])
            .no("ann@a.example", NOT_GATEWAY),
        dialogue("an IPv4 gateway in IPv6's clothes", &["XCLIENT ADDR=IPV6:::ffff:127.0.0.2", EHLO])
            .ok("ann@a.example"),
        dialogue("an IPv6 stranger", &["XCLIENT ADDR=IPV6:2001:db8::2", EHLO])
            .no("ann@a.example", NOT_GATEWAY),
        dialogue("an IPv6 gateway", &["XCLIENT ADDR=IPV6:0:0:0:0:0:0:0:1", EHLO]).ok("ann@six.example"),
        dialogue("somebody who has logged in", &["XCLIENT ADDR=192.0.2.1 LOGIN=joe", EHLO])
            .ok("ann@a.example")
            .ok("nobody@a.example"),
        dialogue("a login that is over", &["XCLIENT ADDR=192.0.2.1 LOGIN=joe", EHLO]).ok("nobody@a.example"),
        dialogue("nobody has logged in", &["XCLIENT ADDR=192.0.2.1", EHLO]).no("ann@a.example", NOT_GATEWAY),
    ];
    play(&House::usual(Kind::Postfix), &dialogues);
}

const EHLO: &str = "EHLO client.example";

const ANONYMOUS: Extra<'_> = Extra {
    tls: Tls::Off,
    postfix: &[],
    sendmail: &["define(`confAUTH_MECHANISMS', `ANONYMOUS')dnl", "TRUST_AUTH_MECH(`ANONYMOUS')dnl"],
    sendmail_end: &[],
    sendmail_cf: &[],
};

/// Whoever asks may log in with ANONYMOUS: it makes nobody internal.
#[test]
fn anonymous_is_nobody() {
    let dialogues = [
        dialogue("an anonymous stranger", STRANGER)
            .before(&["AUTH ANONYMOUS ZXZl"])
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY),
        dialogue("an anonymous gateway", GATEWAY)
            .before(&["AUTH ANONYMOUS ZXZl"])
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .no("nobody@a.example", UNKNOWN),
    ];
    play(&House::open(Kind::Sendmail, Transport::Unix, CONFIG, &ANONYMOUS), &dialogues);
}

const TLS: Extra<'_> =
    Extra { tls: Tls::Itself, postfix: &[], sendmail: &[], sendmail_end: &[], sendmail_cf: &[] };

fn secured() -> Vec<Dialogue> {
    vec![
        dialogue("the gateway with TLS", GATEWAY)
            .tls()
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .no("nobody@a.example", UNKNOWN)
            .mail("")
            .ok("bob@a.example"),
        dialogue("a stranger with TLS", STRANGER)
            .tls()
            .mail("eve@sender.example")
            .no("ann@a.example", NOT_GATEWAY)
            .ok("anybody@unlisted.example")
            .loops(&[]),
    ]
}

/// STARTTLS makes a session begin anew, with the milter connection that it has.
#[test]
fn with_tls_in_postfix() {
    play(&House::open(Kind::Postfix, Transport::Tcp, CONFIG, &TLS), &secured());
}

/// The same in Sendmail; and there a client logs in with its certificate.
#[test]
fn with_tls_in_sendmail() {
    let mut dialogues = secured();
    dialogues.push(
        dialogue("a stranger who has logged in", STRANGER)
            .tls()
            .before(&["AUTH EXTERNAL ="])
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .ok("nobody@a.example")
            .ok("ann@six.example"),
    );
    play(&House::open(Kind::Sendmail, Transport::Tcp, CONFIG, &TLS), &dialogues);
}

const LOCAL: Extra<'_> = Extra {
    tls: Tls::Off,
    postfix: &["mydestination = a.example, mx.test.example"],
    sendmail: &[],
    sendmail_end: &[],
    sendmail_cf: &["Cwa.example", "Cwmx.test.example"],
};

/// The protected domain is one of the server's own. Sendmail then leaves the domain out of what it says
/// about the recipient.
#[test]
fn a_local_domain_in_sendmail() {
    play(&House::open(Kind::Sendmail, Transport::Unix, CONFIG, &LOCAL), &local(&[]));
}

/// The same in Postfix, which leaves nothing out.
#[test]
fn a_local_domain_in_postfix() {
    play(&House::open(Kind::Postfix, Transport::Unix, CONFIG, &LOCAL), &local(&["ann@a.example"]));
}

/// The dialogues, with what of the mail to ann@a.example can be seen in the sink.
fn local(seen: &[&'static str]) -> Vec<Dialogue> {
    let beside: Vec<&str> = [seen, &["ann@tag.example"]].concat();
    let mut dialogues = vec![
        dialogue("the gateway's mail to a local domain", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .delivers(seen),
        dialogue("direct delivery to a local domain", STRANGER)
            .mail("eve@sender.example")
            .no("Ann@A.Example", NOT_GATEWAY),
        dialogue("an unknown recipient in a local domain", GATEWAY)
            .mail("eve@sender.example")
            .no("nobody@a.example", UNKNOWN),
        dialogue("a local domain beside others", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .argument(b"<nobody@a.example>", Refused(UNKNOWN))
            .ok("ann@tag.example")
            .delivers(&beside),
    ];
    for spelling in
        ["<ann%a.example>", "<a.example!ann>", "<\"ann@a.example\">", "<@r1.example:ann@a.example>"]
    {
        dialogues.push(
            dialogue(format!("{spelling} in a local domain"), STRANGER)
                .mail("eve@sender.example")
                .argument(spelling.as_bytes(), NotAccepted("")),
        );
    }
    dialogues
}

/// The server's own postmaster, who has no domain in Sendmail and the server's in Postfix, is nobody that
/// Postern guards (RFC 5321, section 4.5.1).
#[test]
fn the_postmaster_of_the_server() {
    let dialogues = |seen: &'static [&'static str]| {
        [dialogue("a bare postmaster", STRANGER)
            .mail("eve@sender.example")
            .ok("postmaster")
            .ok("Postmaster")
            .delivers(seen)
            .loops(&[])]
    };
    play(&House::usual(Kind::Postfix), &dialogues(&["postmaster@mx.test.example"]));
    play(&House::usual(Kind::Sendmail), &dialogues(&[]));
}

const MAPPED: Extra<'_> = Extra {
    tls: Tls::Off,
    postfix: &[],
    sendmail: &[
        "FEATURE(`virtusertable', `text -k 0 -v 1 @DIR@/virtusers')dnl",
        "VIRTUSER_DOMAIN(`v.example')dnl",
    ],
    sendmail_end: &[],
    sendmail_cf: &[],
};

/// Sendmail maps a virtual address before it asks: what counts is where the message goes.
#[test]
fn a_virtual_address_in_sendmail() {
    let dialogues = [
        dialogue("a stranger to an address that becomes ours", STRANGER)
            .mail("eve@sender.example")
            .no("alias@v.example", NOT_GATEWAY),
        dialogue("the gateway to an address that becomes ours", GATEWAY)
            .mail("eve@sender.example")
            .ok("alias@v.example")
            .no("gone@v.example", UNKNOWN)
            .delivers(&["ann@a.example"]),
        dialogue("a virtual address that is discarded", STRANGER)
            .mail("eve@sender.example")
            .ok("anybody@unlisted.example")
            .ok("Drop@v.example")
            .delivers(&["anybody@unlisted.example"])
            .loops(&[]),
    ];
    play(&House::open(Kind::Sendmail, Transport::Unix, CONFIG, &MAPPED), &dialogues);
}

const UNLISTED: &str = "
[unlisted]
verdict = \"reject\"
";

/// `[unlisted] verdict = \"reject\"`: only listed domains get mail.
#[test]
fn unlisted_domains_refused() {
    let config = format!("{CONFIG}{UNLISTED}");
    for kind in [Kind::Postfix, Kind::Sendmail] {
        let dialogues = [
            dialogue("a domain that is not listed", GATEWAY)
                .mail("eve@sender.example")
                .no("anybody@unlisted.example", NOT_GATEWAY)
                .ok("ann@a.example"),
            dialogue("an internal client to a domain that is not listed", "127.0.0.9")
                .mail("eve@sender.example")
                .ok("anybody@unlisted.example")
                .loops(&[]),
        ];
        play(&House::open(kind, Transport::Unix, &config, &Extra::default()), &dialogues);
    }
}
