// SPDX-License-Identifier: GPL-3.0-or-later
//! What is decided at, or done to, the header: loops, hops, tags, and lines that only Postern may write.

use crate::dialogue::Want::Refused;
use crate::dialogue::{Dialogue, GATEWAY, INTERNAL, OURS, STRANGER, dialogue};
use crate::house::{CONFIG, House, Kind};
use crate::mta::{Extra, Transport};
use crate::play::play;

#[test]
fn on_postfix_over_unix() {
    talk(&House::usual(Kind::Postfix));
}

#[test]
fn on_postfix_over_tcp() {
    talk(&House::open(Kind::Postfix, Transport::Tcp, CONFIG, &Extra::default()));
}

#[test]
fn on_sendmail_over_unix() {
    talk(&House::usual(Kind::Sendmail));
}

#[test]
fn on_sendmail_over_tcp() {
    talk(&House::open(Kind::Sendmail, Transport::Tcp, CONFIG, &Extra::default()));
}

fn talk(house: &House) {
    play(house, &dialogues());
    send_odd_contents(house);
    send_in_one_go(house);
    hang_up(house);
}

const LOOP: &str = "554 5.4.6";
const TOKEN: &str = "X-Postern-Loop: gate.test.example";

fn dialogues() -> Vec<Dialogue> {
    [loops(), hops(), tags(), forged()].into_iter().flatten().collect()
}

fn loops() -> Vec<Dialogue> {
    vec![
        dialogue("one pass less than a loop", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&[TOKEN, TOKEN])
            .loops(&[OURS, OURS, OURS]),
        dialogue("a loop", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .end(Refused(LOOP)),
        dialogue("a loop with tokens in other letters and with notes", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&[
                "x-postern-loop:GATE.TEST.EXAMPLE",
                "X-POSTERN-LOOP:   Gate.Test.Example ; pass=2",
                "X-Postern-Loop:\r\n gate.test.example; since=yesterday",
            ])
            .end(Refused(LOOP)),
        dialogue("tokens of others are kept and count for nothing", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&[
                "X-Postern-Loop: other.example",
                TOKEN,
                "X-Postern-Loop: other.example; pass=2",
                "x-postern-loop: third.example",
                "X-Postern-Loop: not-gate.test.example",
            ])
            .loops(&["other.example", "other.example", "third.example", "not-gate.test.example", OURS, OURS]),
        dialogue("a loop of the null sender", GATEWAY)
            .mail("")
            .ok("ann@a.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .end(Refused(LOOP)),
        dialogue("a loop from an internal client", INTERNAL)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .end(Refused(LOOP)),
        dialogue("a loop to a domain that is not listed is not looked for", INTERNAL)
            .mail("eve@sender.example")
            .ok("anybody@unlisted.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .loops(&[OURS, OURS, OURS]),
        dialogue("a loop answers for every recipient", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@monitor.example")
            .ok("ann@a.example")
            .ok("anybody@unlisted.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .end(Refused(LOOP)),
        dialogue("a loop, then a message without one", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .end(Refused(LOOP))
            .mail("eve@sender.example")
            .ok("ann@a.example"),
        dialogue("a deferred loop", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@defer.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .end(Refused("451 4.4.6")),
        dialogue("a discarded loop", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@drop.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .delivers(&[]),
        dialogue("a loop on hold", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .held(&["ann@hold.example"], "loop-detected"),
        dialogue("a tagged loop", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .loops(&[OURS, OURS, OURS, OURS])
            .tags(&["loop-detected"]),
    ]
}

const HOP: &str = "Received: from a.hop.example by b.hop.example; Fri, 20 Nov 2026 10:00:00 +0000";

fn hops() -> Vec<Dialogue> {
    vec![
        dialogue("as many hops as may be", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&[HOP; 10]),
        dialogue("one hop too many", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&[HOP; 11])
            .end(Refused(LOOP)),
        dialogue("one hop too many, in other letters", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&["received: by hop.example\r\n\tfor somebody"; 11])
            .end(Refused(LOOP)),
        dialogue("lines that only look like hops", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&["Received-SPF: pass"; 12])
            .headers(&["X-Received: by hop.example"; 12]),
        dialogue("too many hops on the way to a monitored domain", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@monitor.example")
            .headers(&[HOP; 11]),
        dialogue("too many hops, deferred by mode soft", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@soft.example")
            .headers(&[HOP; 11])
            .end(Refused("451 4.4.6")),
    ]
}

fn tags() -> Vec<Dialogue> {
    vec![
        dialogue("a tagged source", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .tags(&["source-not-gateway"]),
        dialogue("a tagged source for two recipients has one tag", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .ok("bob@tag.example")
            .tags(&["source-not-gateway"]),
        dialogue("a tagged recipient", GATEWAY)
            .mail("eve@sender.example")
            .ok("nobody@tag.example")
            .tags(&["recipient-unknown"]),
        dialogue("no tag for the gateway's mail", GATEWAY).mail("eve@sender.example").ok("ann@tag.example"),
        dialogue("a tag stays with its message", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .tags(&["source-not-gateway"])
            .mail("eve@sender.example")
            .ok("ann@open.example")
            .mail("eve@sender.example")
            .ok("bob@tag.example")
            .tags(&["source-not-gateway"]),
    ]
}

const FORGED: &[&str] = &[
    "X-Postern-Tag: source-not-gateway",
    "x-postern-tag: recipient-unknown",
    "X-Postern-Scan: k=1; d=a.example; t=1; h=forged",
    "X-POSTERN-TAG: folded\r\n over\r\n\ttwo lines",
    "X-Postern-Loop: other.example",
    "X-Postern-Verdict: accept",
    "X-Postern-Scan: k=2",
    "X-Postern-: empty name",
    "X-Postern-Tag:",
    "X-postern-verdict: accept",
];

fn forged() -> Vec<Dialogue> {
    vec![
        dialogue("forged lines are removed from a gateway's mail", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(FORGED)
            .loops(&["other.example", OURS]),
        dialogue("forged lines are removed from a stranger's mail, and our tag is added", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .headers(FORGED)
            .loops(&["other.example", OURS])
            .tags(&["source-not-gateway"]),
        dialogue("an internal client's lines are its own", INTERNAL)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&["X-Postern-Tag: source-not-gateway"])
            .tags(&["source-not-gateway"]),
        dialogue("many forged lines of one name", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&["X-Postern-Tag: forged"; 40]),
        dialogue("lines that only begin alike", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .headers(&["X-Posternity: 1", "X-Postern: 1", "XX-Postern-Tag: 1"]),
    ]
}

/// Messages without a header, without a body, without either, and a large one. A milter that lets itself be
/// told too little makes Postfix wait for minutes with the first of them.
fn send_odd_contents(house: &House) {
    let large = [b"Subject: large\r\n\r\n".as_slice(), &b"0123456789 and so on\r\n".repeat(100_000)].concat();
    let contents: [(&str, &[u8]); 6] = [
        ("no-header", b"\r\nbody\r\n"),
        ("no-body", b"Subject: no body\r\n\r\n"),
        ("header-only", b"Subject: no end of header\r\n"),
        ("text-only", b"this is no header\r\n"),
        ("nothing", b""),
        ("large", &large),
    ];
    let mut smtp = house.session(GATEWAY);
    for (name, content) in contents {
        let sender = format!("{name}@sender.example");
        smtp.command(format!("MAIL FROM:<{sender}>"));
        smtp.command("RCPT TO:<ann@a.example>");
        smtp.command("DATA");
        let reply = smtp.content(content);
        assert!(reply.is_ok(), "{name}: {reply}\n{}", house.logs());
        house.settle().expect("an empty queue");
        let delivered = house.sink.deliveries().into_iter().filter(|one| one.sender == sender);
        let tokens: Vec<_> = delivered.map(|one| one.values("X-Postern-Loop")).collect();
        assert_eq!(tokens.len(), 1, "{name}: deliveries");
        assert_eq!(tokens[0].len(), 1, "{name}: loop tokens {tokens:?}");
    }
}

/// A client that does not wait for each reply, as most do, hears the same.
fn send_in_one_go(house: &House) {
    let mut smtp = house.session(GATEWAY);
    smtp.raw(
        b"MAIL FROM:<pipeline@sender.example>\r\nRCPT TO:<nobody@a.example>\r\nRCPT TO:<ann@a.example>\r\n\
          RCPT TO:<nobody@a.example>\r\nRCPT TO:<bob@a.example>\r\nDATA\r\n",
    );
    let codes: Vec<u16> = std::iter::repeat_with(|| smtp.reply().code).take(6).collect();
    assert_eq!(codes, [250, 550, 250, 550, 250, 354], "{}", smtp.transcript());
    let reply = smtp.content(b"Subject: pipelined\r\n\r\nbody\r\n");
    assert!(reply.is_ok(), "{reply}");
    house.settle().expect("an empty queue");
    let delivered = house.sink.with_header("Subject", "pipelined");
    let mut recipients: Vec<String> = delivered.into_iter().flat_map(|one| one.recipients).collect();
    recipients.sort();
    assert_eq!(recipients, ["ann@a.example", "bob@a.example"]);
}

/// A client that hangs up within a message has sent nothing, and disturbs nobody.
fn hang_up(house: &House) {
    for steps in 1..=4 {
        let mut smtp = house.session(GATEWAY);
        let commands = ["MAIL FROM:<gone@sender.example>", "RCPT TO:<ann@a.example>", "DATA"];
        for command in commands.iter().take(steps) {
            smtp.command(command);
        }
        if steps == 4 {
            smtp.raw(b"Subject: half a message\r\nX-Postern-Loop: gate.test.example\r\n");
        }
    }
    let mut smtp = house.session(GATEWAY);
    for command in ["MAIL FROM:<eve@sender.example>", "RCPT TO:<ann@a.example>", "DATA"] {
        assert!(smtp.command(command).is_ok(), "{}", smtp.transcript());
    }
    let reply = smtp.content(b"Subject: after the others\r\n\r\nbody\r\n");
    assert!(reply.is_ok(), "{reply}");
    house.settle().expect("an empty queue");
    assert_eq!(house.sink.with_header("Subject", "after the others").len(), 1);
    let half = house.sink.deliveries().iter().filter(|one| one.sender.starts_with("gone@")).count();
    assert_eq!(half, 0, "half a message was delivered");
}
