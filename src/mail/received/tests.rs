// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines as mail servers and gateways write them, lines as attackers would, and that nothing below the gateway's lines
//! matters. The gateway is 192.0.2.0/24 and `2001:db8:1::/48` throughout.

use super::*;
use proptest::prelude::*;

const CLIENT: &str = "203.0.113.7";

fn trusted(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets().starts_with(&[192, 0, 2]),
        IpAddr::V6(v6) => v6.segments().starts_with(&[0x2001, 0xdb8, 1]),
    }
}

fn walk(lines: &[&str]) -> Option<String> {
    original_client(lines.iter().map(|line| line.as_bytes()), trusted).map(|address| address.to_string())
}

#[test]
fn what_a_host_saw_is_read_in_every_form() {
    for (line, want) in [
        // Postfix, with what it says of TLS and of a certificate.
        (
            "from mail.a.example (mail.a.example [203.0.113.7])\r\n\tby gw.example (Postfix) with ESMTPS id 4X\r\n\tfor <ann@b.example>; Sat, 21 Nov 2026 10:00:00 +0000 (UTC)",
            CLIENT,
        ),
        (
            "from mail.a.example (unknown [203.0.113.7]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519) (No client certificate requested) by gw.example (Postfix) with ESMTPS id 4X",
            CLIENT,
        ),
        (
            "from x (x [203.0.113.7]) (using TLSv1.3) (Client CN \"x [198.51.100.1]\", Issuer \"R3\" (verified OK)) by gw.example (Postfix) with ESMTPS",
            CLIENT,
        ),
        (
            "from mail.a.example (mail.a.example [IPv6:2001:db8::7]) by gw.example (Postfix) with ESMTP",
            "2001:db8::7",
        ),
        (
            "from mail.a.example (mail.a.example [IPv6:2001:db8:0:0:0:0:0:7]) by gw.example with ESMTP",
            "2001:db8::7",
        ),
        (
            "from x (x [203.0.113.7]) (Authenticated sender: joe@198.51.100.1) by gw.example with ESMTPA",
            CLIENT,
        ),
        // Sendmail: a name that may be forged, an ident answer.
        (
            "from mail.a.example (host7.a.example [203.0.113.7] (may be forged)) by gw.example (8.18.1/8.18.1) with ESMTP id 4A1",
            CLIENT,
        ),
        ("from mail.a.example (ident@host7.a.example [203.0.113.7]) by gw.example (8.18.1/8.18.1)", CLIENT),
        ("FROM mail.a.example ([203.0.113.7]) BY gw.example", CLIENT),
        // Exim: the address comes first when there is no reverse name.
        (
            "from [203.0.113.7] (helo=mail.a.example)\n\tby gw.example with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384\n\t(Exim 4.98)\n\t(envelope-from <eve@a.example>)\n\tid 1t-0",
            CLIENT,
        ),
        ("from [203.0.113.7]:51111 (helo=mail.a.example) by gw.example with esmtp (Exim 4.98)", CLIENT),
        ("from [203.0.113.7] (port=51111 helo=[198.51.100.1] ident=joe) by gw.example with esmtp", CLIENT),
        ("from host7.a.example ([203.0.113.7] helo=mail.a.example) by gw.example with esmtp", CLIENT),
        ("from host7.a.example ([203.0.113.7]:51111) by gw.example with esmtp", CLIENT),
        ("from host7.a.example ([2001:db8::7]:51111 helo=x ident=y) by gw.example with esmtp", "2001:db8::7"),
        // qmail and those that write like it.
        (
            "from unknown (HELO mail.a.example) (203.0.113.7) by gw.example with SMTP; 21 Nov 2026 10:00:00 -0000",
            CLIENT,
        ),
        ("from host7.a.example (HELO [198.51.100.1]) (joe@203.0.113.7) by gw.example with ESMTPS", CLIENT),
        ("from host7.a.example (203.0.113.7) by gw.example with SMTP", CLIENT),
        (
            "from unknown (HELO mail.a.example) ([203.0.113.7]) by esa1.gw.example with ESMTP/TLS/ECDHE-RSA-AES256-GCM-SHA384",
            CLIENT,
        ),
        (
            "from [203.0.113.7] (HELO mail.a.example) by gw.example (CommuniGate Pro SMTP 6.3) with ESMTP id 1",
            CLIENT,
        ),
        (
            "from 203.0.113.7 (EHLO mail.a.example) ([203.0.113.7]) by gw.example (JAMES SMTP Server ) with ESMTP",
            CLIENT,
        ),
        // Exchange and Microsoft 365: bare addresses, of which the second is the writer's own.
        (
            "from mail.a.example (203.0.113.7) by AM0EUR02FT003.mail.protection.example (10.152.28.100) with Microsoft SMTP Server (version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384) id 15.20.1.1 via Frontend Transport; Sat, 21 Nov 2026 10:00:00 +0000",
            CLIENT,
        ),
        (
            "from mail.a.example (2001:db8::7) by gw.example (2001:db8:1::9) with Microsoft SMTP Server id 15.20.1.1",
            "2001:db8::7",
        ),
        (
            "from [198.51.100.1] (203.0.113.7) by gw.example (10.1.1.1) with Microsoft SMTP Server id 15.2",
            CLIENT,
        ),
        // Gateways with a hand of their own.
        (
            "from mail.a.example (Not Verified[203.0.113.7]) by gw.example with MailMarshal (v10,0,0,1) (using TLS: TLSv1.2, AES256) id <B5f>",
            CLIENT,
        ),
        ("from mail.a.example (mail.a.example[203.0.113.7]) by gw.example with MailMarshal", CLIENT),
        (
            "from mail.a.example (unknown [203.0.113.7]) by in.gw.example (TrendMicro Email Security) with ESMTPS id A1",
            CLIENT,
        ),
        (
            "from mail.a.example (mail.a.example [203.0.113.7]) by mx0a.gw.example (PPS) with ESMTPS id 4a (version=TLSv1.3 cipher=x bits=256 verify=NOT); Sat, 21 Nov 2026",
            CLIENT,
        ),
        (
            "from mail.a.example (mail.a.example [203.0.113.7]) by relay.gw.example with ESMTP with STARTTLS (version=TLSv1.3, cipher=x) id uk-mta-1",
            CLIENT,
        ),
        (
            "from mail.a.example (mail.a.example. [203.0.113.7]) by mx.gw.example with ESMTPS id x for <ann@b.example> (version=TLS1_3)",
            CLIENT,
        ),
        (
            "from mail.a.example (mail.a.example [::ffff:203.0.113.7]) (TLS: TLSv1.3) by gw.example with ESMTPS id 0",
            CLIENT,
        ),
    ] {
        assert_eq!(walk(&[line]).as_deref(), Some(want), "{line}");
    }
}

#[test]
fn lines_that_do_not_tell() {
    for line in [
        "",
        "nonsense",
        "from",
        "from mail.a.example",
        "from mail.a.example by gw.example with ESMTP",
        // Only what the client said.
        "from [198.51.100.1] by gw.example with ESMTP",
        "from 198.51.100.1 by gw.example with ESMTP",
        "from [198.51.100.1] (unknown) by gw.example with ESMTP",
        "from 198.51.100.1 (EHLO x) by gw.example with ESMTP",
        "from x (HELO [198.51.100.1]) by gw.example with SMTP",
        "from x (helo=[198.51.100.1]) by gw.example",
        "from x [198.51.100.1] by gw.example",
        "from x (Client CN \"[198.51.100.1]\") by gw.example",
        "from x (authenticated as joe@198.51.100.1) by gw.example",
        "from x (198.51.100.1 198.51.100.2) by gw.example",
        "from x (a [198.51.100.1] b [198.51.100.2]) by gw.example",
        "from x (a [198.51.100.1) by gw.example",
        "from x (x [0.0.0.0]) by gw.example",
        "from x (x [224.0.0.1]) by gw.example",
        "from x (x [999.0.0.1]) by gw.example",
        // Two readings.
        "from x ([198.51.100.1]) (unknown [203.0.113.7]) by gw.example",
        "from [198.51.100.1] (helo=x) ([203.0.113.7]) by gw.example",
        "from x ([198.51.100.1]) by y (unknown [203.0.113.7]) by gw.example",
        "from x ([198.51.100.1]) by y; (unknown [203.0.113.7]) by gw.example",
        "from x ([198.51.100.1]) by y with by gw.example",
        "from x from y ([198.51.100.1]) by gw.example",
        "by x from y ([198.51.100.1]) by gw.example",
        "(x) from y ([198.51.100.1]) by gw.example",
        // Parentheses that do not match.
        "from ( (unknown [203.0.113.7]) by gw.example",
        "from x) (unknown [203.0.113.7]) by gw.example",
        "from x (unknown [203.0.113.7]) by gw.example (",
        "from x (unknown [203.0.113.7]\\) by gw.example",
    ] {
        assert_eq!(walk(&[line, GOOD]), None, "{line}");
    }
}

const GOOD: &str =
    "from mail.a.example (mail.a.example [203.0.113.7]) by gw.example (Postfix) with ESMTP id 4X";
const LURE: &str = "from lure (lure [198.51.100.9]) by gw.example (Postfix) with ESMTP id 4Y";

#[test]
fn a_client_may_call_itself_what_it_likes() {
    for helo in [
        "by",
        "from",
        "with",
        "[198.51.100.1]",
        "198.51.100.1",
        "[IPv6:2001:db8::9]",
        "helo=x",
        "\"",
        "\"x",
        "\\",
        "x\\",
        "",
        "x;",
        ";",
        "ann@b.example",
        "localhost",
        "[127.0.0.1]",
        "192.0.2.1",
        "x\0y",
        "m\u{fc}ller",
    ] {
        let postfix = format!("from {helo} (unknown [203.0.113.7]) by gw.example (Postfix) with ESMTP id 4X");
        let exchange =
            format!("from {helo} (203.0.113.7) by gw.example (10.0.0.1) with Microsoft SMTP Server id 15");
        let exim = format!("from [203.0.113.7] (helo={helo}) by gw.example with esmtp (Exim 4.98)");
        let exim_named = format!("from host7.a.example ([203.0.113.7] helo={helo}) by gw.example with esmtp");
        let qmail = format!("from unknown (HELO {helo}) (203.0.113.7) by gw.example with SMTP");
        for line in [postfix, exchange, exim, exim_named, qmail] {
            // A backslash before a closing parenthesis leaves no line at all, and no other address either.
            let want = (!line.contains("\\)")).then_some(CLIENT);
            assert_eq!(walk(&[&line, LURE]).as_deref(), want, "{line}");
        }
    }
}

#[test]
fn the_walk_ends_at_the_first_stranger() {
    let own =
        "from mx1.gw.example (mx1.gw.example [192.0.2.10]) by out.gw.example (Postfix) with ESMTPS id 1";
    let own6 =
        "from mx1.gw.example (2001:db8:1::10) by out.gw.example (2001:db8:1::11) with Microsoft SMTP Server";
    let inner =
        "from pps.filterd (m0.gw.example [127.0.0.1]) by m0.gw.example (8.18.1/8.18.1) with SMTP id 2";
    let tower = "from [192.0.2.11] (using TLSv1.2 with cipher DHE (256 bits)) by server-1.gw.example id 5E/1";
    let link = "from a.gw.example ([fe80::1]) by b.gw.example ([fe80::2%4]) with mapi id 15.20";
    let by = "by 2002:a05:6a10:1::1 with SMTP id x1; Sat, 21 Nov 2026 10:00:00 -0800 (PST)";
    let qmail = "(qmail 4711 invoked from network); 21 Nov 2026 10:00:00 -0000";
    let userid = "by mx1.gw.example (Postfix, from userid 1001) id 4Z; Sat, 21 Nov 2026";
    let sendmail = "(from filter@localhost) by mx1.gw.example (8.18.1/8.18.1/Submit) id 4A";
    let local = "from scanner by mx1.gw.example with local (Exim 4.98) id 1t-1";
    let lmtp = "from mx1.gw.example by store.gw.example with LMTP; Sat, 21 Nov 2026";
    let cases: [(&[&str], Option<&str>); 16] = [
        (&[], None),
        (&[GOOD], Some(CLIENT)),
        (&[GOOD, LURE], Some(CLIENT)),
        (&[own, GOOD, LURE], Some(CLIENT)),
        (&[own6, GOOD, LURE], Some(CLIENT)),
        (&[own, inner, tower, link, GOOD, LURE], Some(CLIENT)),
        (&[by, GOOD, LURE], Some(CLIENT)),
        (&[own, qmail, userid, sendmail, local, lmtp, GOOD], Some(CLIENT)),
        (&[own, inner], None),
        (&[own, "nonsense", GOOD], None),
        (&["nonsense", GOOD], None),
        // Below the stranger, lines that look like the gateway's, to lead the walk on.
        (&[GOOD, own, LURE], Some(CLIENT)),
        (&[GOOD, inner, by, LURE], Some(CLIENT)),
        (&[GOOD, "(((", LURE], Some(CLIENT)),
        (&[own, "from 10.0.0.1 (unknown [10.0.0.1]) by mx1.gw.example with ESMTP", GOOD], Some(CLIENT)),
        (&["from [192.0.2.9] (unknown [203.0.113.7]) by gw.example with ESMTP", LURE], Some(CLIENT)),
    ];
    for (lines, want) in cases {
        assert_eq!(walk(lines).as_deref(), want, "{lines:#?}");
    }
}

#[test]
fn lines_and_octets_are_bounded() {
    let own = "from mx1 (mx1 [192.0.2.10]) by out (Postfix) with ESMTP";
    let many = |count: usize| [vec![own; count], vec![GOOD]].concat();
    assert_eq!(walk(&many(MAX_LINES - 1)).as_deref(), Some(CLIENT));
    assert_eq!(walk(&many(MAX_LINES)), None);
    // What follows the clause may be cut off, the clause itself may not.
    let long = |at: &str| GOOD.replace(at, &format!("{}{at}", "x".repeat(MAX_LINE)));
    assert_eq!(walk(&[&long("4X")]).as_deref(), Some(CLIENT));
    assert_eq!(walk(&[&long("mail.a")]), None);
    let deep = format!("from x {}unknown [203.0.113.7] by gw.example", "(".repeat(4000));
    assert_eq!(walk(&[&deep]), None);
    let nested =
        format!("from x (unknown [203.0.113.7] {}{}) by gw.example", "(".repeat(1000), ")".repeat(1000));
    assert_eq!(walk(&[&nested]).as_deref(), Some(CLIENT));
    for octets in
        [&b"from \xff\xfe (\xff [203.0.113.7]) by gw\0.example"[..], b"from x\0 (x\0 [203.0.113.7]) by g"]
    {
        assert_eq!(
            original_client([octets].into_iter(), trusted).map(|a| a.to_string()).as_deref(),
            Some(CLIENT)
        );
    }
}

fn template() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "from {} (unknown [203.0.113.7]) by gw.example (Postfix) with ESMTP id 4X; Sat, 21 Nov 2026 10:00:00 +0000 (UTC)",
        "from {} ([203.0.113.7]) by gw.example with ESMTP",
        "from {} (203.0.113.7) by gw.example (10.0.0.1) with Microsoft SMTP Server (version=TLS1_3) id 15",
        "from {} (Not Verified[203.0.113.7]) by gw.example with MailMarshal (v10,0,0,1) id <B5>",
        "from unknown (HELO {}) (203.0.113.7) by gw.example with SMTP; 21 Nov 2026 10:00:00 -0000",
        "from unknown (HELO {}) ([203.0.113.7]) by gw.example with ESMTP",
        "from [203.0.113.7] (helo={}) by gw.example with esmtp (Exim 4.98) (envelope-from <eve@a.example>) id 1t",
        "from [203.0.113.7] (port=51111 helo={} ident=joe) by gw.example with esmtp (Exim 4.98) id 1t",
        "from host7.a.example ([203.0.113.7]:25 helo={}) by gw.example with esmtp (Exim 4.98) id 1t",
    ])
}

/// Names that no mail server lets pass, of the pieces that could be mistaken for a line's own.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "(",
        ")",
        "[198.51.100.9]",
        "198.51.100.9",
        "(x [198.51.100.9])",
        "([198.51.100.9])",
        "(helo=x)",
        "helo=",
        " by ",
        " from ",
        " with ",
        "local",
        ";",
        "\\",
        "\"",
        " ",
        "x",
        "@",
        "[",
        "]",
        "\r\n\t",
        "\0",
        "(HELO x)",
        "(using x)",
        ",",
    ]);
    prop_oneof![prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat()), any::<String>()]
}

proptest! {
    /// Whatever is written below the first stranger, by whomever, the answer stays.
    #[test]
    fn nothing_below_the_first_stranger_matters(
        above in prop::collection::vec(prop::sample::select(vec![
            "from mx1 (mx1 [192.0.2.10]) by out.gw.example (Postfix) with ESMTPS id 1",
            "from localhost (localhost [127.0.0.1]) by out.gw.example (Postfix) with ESMTP id 2",
            "by out.gw.example with SMTP id 3",
        ]), 0..5),
        template in template(),
        below in prop::collection::vec(prop_oneof![
            hostile(),
            (template(), hostile()).prop_map(|(template, helo)| template.replace("{}", &helo)),
            Just("from mx1 (mx1 [192.0.2.10]) by out.gw.example (Postfix) with ESMTPS id 1".to_owned()),
        ], 0..8),
    ) {
        let line = template.replace("{}", "mail.a.example");
        let mut lines = above.clone();
        lines.push(&line);
        let alone = walk(&lines);
        lines.extend(below.iter().map(String::as_str));
        prop_assert_eq!(alone.as_deref(), Some(CLIENT), "{}", &line);
        prop_assert_eq!(walk(&lines), alone, "{:#?}", lines);
    }

    /// Whatever the client calls itself, at a host that lets anything pass: its own address or nothing.
    #[test]
    fn a_name_never_becomes_an_address(template in template(), helo in hostile()) {
        let line = template.replace("{}", &helo);
        let found = walk(&[&line, LURE]);
        prop_assert!(found.is_none() || found.as_deref() == Some(CLIENT), "{:?} from {:?}", found, line);
    }

    /// Any octets at all.
    #[test]
    fn any_octets_are_read(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5)) {
        let _ = original_client(lines.iter().map(Vec::as_slice), trusted);
    }
}
