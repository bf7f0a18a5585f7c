// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail that goes through a scanning gateway: how each MTA is told to bring it there, and what of it is taken when it comes
//! back. What is added on the way out is what is brought back here, folded anew, in another order, or in part.

use crate::support::*;
use indymilter::{Actions, MacroStage};
use postern::gate::Gate;
use postern::mail::{
    Domain, DomainPattern, DomainTable, Mailbox, Network, NextHop, ScanAddress, ScanKey, ScanKeys, Secret,
};
use postern::milter::Offer;
use postern::policy::{
    Directories, DomainPolicy, Gateway, GatewayId, Gateways, HeaderFactor, Internal, LoopRule, Mode,
    OnReturn, OnScannerDown, Policy, RecipientRules, Replies, Reputation, Require, ScanRule, Server,
    ServerId, Servers, Source, TlsWish, Unlisted, Unrouted, Verdict, Verdicts,
};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const SCANNER: &str = "203.0.113.5";
const OTHER: &str = "203.0.113.200";
const POSTFIX: &str = "Postfix 3.7.11";
const SENDMAIL: &str = "8.17.1.9";
const DAY: u32 = 86_400;

fn networks(text: &str) -> postern::mail::NetworkSet {
    [Network::parse(text).unwrap().network].into_iter().collect()
}

fn server(name: &str, hop: &[&str], down: bool) -> Server {
    let hosts = hop.iter().map(|hop| NextHop::parse(hop).unwrap()).collect();
    Server { name: name.into(), hosts, tls: TlsWish::May, down }
}

/// s.example and t.example are scanned by `scanner`, o.example by `other`; strip.example by `scanner`, whose mail has a header
/// line then; soft.example and m.example, which is only monitored, by `scanner`; open.example takes mail from any client and
/// has it scanned; deliver.example lets mail through while `scanner` is down, plain.example is not scanned.
fn policy_of_scans(down: bool) -> Policy {
    let mut gateways = Gateways::default();
    let seg = gateways.add(Gateway::by_networks("seg", networks("192.0.2.0/24")));
    let scanner = gateways.add(Gateway::by_networks("scanner", networks("203.0.113.0/25")));
    let other = gateways.add(Gateway::by_networks("other", networks("203.0.113.128/25")));
    let header =
        HeaderFactor { name: "X-Scanned-By".into(), secrets: [Secret::new(*b"s3cret-value")].into() };
    let stamping = gateways.add(Gateway {
        header: Some(header),
        require: Require::All { address: true, certificate: false, header: true },
        ..Gateway::by_networks("stamping", networks("203.0.113.0/25"))
    });
    let mut servers = Servers::default();
    let to_scanner = servers.add(server("scanner", &["192.0.2.77:2525", "scan2.example"], down));
    let to_other = servers.add(server("other", &["mx:other.example"], false));
    let rule = |via: ServerId, gateway: GatewayId| {
        let (on_return, on_down) = (OnReturn::Token, OnScannerDown::Wait);
        Some(ScanRule { via, gateway, on_return, valid: DAY, on_down })
    };
    let by_scanner = rule(to_scanner, scanner);
    let from_seg = || Source::Gateways(vec![seg]);
    let strip = ScanRule { on_return: OnReturn::Strip, ..rule(to_scanner, stamping).unwrap() };
    let deliver = ScanRule { on_down: OnScannerDown::Deliver, ..by_scanner.clone().unwrap() };
    let mut table = DomainTable::default();
    for (name, mode, source, scan) in [
        ("s.example", Mode::Enforce, from_seg(), by_scanner.clone()),
        ("t.example", Mode::Enforce, from_seg(), by_scanner.clone()),
        ("o.example", Mode::Enforce, from_seg(), rule(to_other, other)),
        ("soft.example", Mode::Soft, from_seg(), by_scanner.clone()),
        ("m.example", Mode::Monitor, from_seg(), by_scanner.clone()),
        ("off.example", Mode::Inactive, from_seg(), by_scanner.clone()),
        ("open.example", Mode::Enforce, Source::Any, by_scanner.clone()),
        ("strip.example", Mode::Enforce, Source::Gateways(vec![seg]), Some(strip)),
        ("deliver.example", Mode::Enforce, from_seg(), Some(deliver)),
        ("plain.example", Mode::Enforce, from_seg(), None),
        ("d.example", Mode::Enforce, from_seg(), by_scanner),
    ] {
        let pattern = DomainPattern::parse(name).unwrap();
        let source_verdict = if name == "d.example" { Verdict::Discard } else { Verdict::Reject };
        let domain = DomainPolicy {
            pattern: pattern.clone(),
            mode,
            source,
            directories: Vec::new(),
            subaddress: "+".into(),
            recipients: RecipientRules::default(),
            unrouted: Unrouted::Pass,
            scan,
            verdicts: Verdicts { source: source_verdict, ..Verdicts::default() },
            replies: Replies::default(),
        };
        table.insert(pattern, Arc::new(domain));
    }
    let internal = Internal { networks: networks("10.0.0.0/8"), authenticated: true };
    let loops = LoopRule { id: "mx.example".into(), max_passes: 3, max_received: 5 };
    Policy::new(
        internal,
        Unlisted::default(),
        table,
        gateways,
        Directories::default(),
        loops,
        Reputation::default(),
    )
    .with_routing(servers, Vec::new())
}

fn key(id: &str) -> ScanKey {
    ScanKey::new(id, format!("{id:0>32}").into_bytes()).unwrap()
}

fn door_of(policy: Policy) -> Door {
    let door = Door::new(policy);
    door.judge.set_scan_keys(Some(ScanKeys::new(key("k1"), [])));
    door
}

fn door() -> Door {
    door_of(policy_of_scans(false))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token that the key signs, made `ago` seconds before now.
fn token(key: &ScanKey, ago: i64, recipients: &[&str]) -> String {
    let addresses: Vec<ScanAddress> =
        recipients.iter().map(|text| ScanAddress::of(&Mailbox::parse_strict(text).unwrap())).collect();
    let domain = Domain::parse(recipients[0].rsplit('@').next().unwrap()).unwrap();
    key.mint(&domain, now().saturating_add_signed(-ago), 0, &addresses).remove(0)
}

/// A session of an MTA that tells this of itself.
async fn session(door: &Door, version: &str, client: &str) -> Peer {
    session_offering(door, version, client, Offer::current()).await
}

async fn session_offering(door: &Door, version: &str, client: &str, offer: Offer) -> Peer {
    let mut peer = door.mta_offering(offer).await;
    let macros = [("j", "mx.example"), ("v", version)];
    let macros = if version.is_empty() { &macros[..1] } else { &macros[..] };
    peer.mta.define(MacroStage::Connect, macros).await.unwrap();
    peer.mta.send(connect(client)).await.unwrap();
    peer.mta.send(helo()).await.unwrap();
    peer
}

/// What the end of a message came to: the lines that were added, and the other edits and the answer, tokens left out.
#[derive(Debug, Default)]
struct End {
    added: Vec<(String, String)>,
    edits: Vec<String>,
}

impl End {
    fn of(answers: Vec<String>) -> Self {
        let mut end = Self::default();
        for answer in answers {
            match answer.strip_prefix("add ").and_then(|line| line.split_once(": ")) {
                Some((name, value)) => end.added.push((name.to_owned(), value.to_owned())),
                None => end.edits.push(answer),
            }
        }
        end
    }

    fn values(&self, name: &str) -> Vec<&str> {
        self.added.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Added but for tokens, and then all else.
    fn shown(&self) -> Vec<String> {
        let lines = self.added.iter().filter(|(name, _)| name != "X-Postern-Scan");
        lines.map(|(name, value)| format!("{name}: {value}")).chain(self.edits.clone()).collect()
    }

    fn lines(&self) -> Vec<(&str, &str)> {
        self.added.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn is_away(&self) -> bool {
        self.values("X-Postern-Loop") == ["mx.example; scan"] && self.edits.last().unwrap() == "continue"
    }

    fn is_scanned(&self) -> bool {
        self.values("X-Postern-Loop") == ["mx.example; scanned"]
            && self.values("X-Postern-Scan").is_empty()
            && self.values("X-Postern-Via").is_empty()
            && self.edits.last().unwrap() == "continue"
    }
}

/// One message over a session of its own, of which all recipients are accepted.
async fn send(door: &Door, version: &str, client: &str, rcpts: &[&str], headers: &[(&str, &str)]) -> End {
    let (answers, end) = session(door, version, client).await.message(rcpts, headers).await;
    assert!(answers.iter().all(|answer| answer == "continue"), "{client} {rcpts:?}: {answers:?}");
    End::of(end)
}

async fn send_out(door: &Door, rcpts: &[&str]) -> End {
    let end = send(door, POSTFIX, GATEWAY, rcpts, &[]).await;
    assert!(end.is_away(), "{end:?}");
    end
}

const VIA: &str = "X-Postern-Via: [192.0.2.77]:2525,[scan2.example]";

#[tokio::test]
async fn only_who_scans_asks_for_what_it_takes() {
    for (policy, macros, actions) in [
        (policy_of_scans(false), "j v", Actions::ADD_RCPT | Actions::DELETE_RCPT),
        (policy(), "j", Actions::DELETE_RCPT),
    ] {
        let peer = Door::new(policy).mta().await;
        assert_eq!(peer.mta.macros_wanted(MacroStage::Connect).unwrap().to_str(), Ok(macros));
        assert_eq!(peer.mta.actions() & (Actions::ADD_RCPT | Actions::DELETE_RCPT), actions);
    }
}

#[tokio::test]
async fn a_round_trip_through_postfix() {
    let door = door();
    let out = send(&door, POSTFIX, GATEWAY, &["Ann+x@s.example", "bob@s.example"], &[]).await;
    assert_eq!(out.shown(), ["X-Postern-Loop: mx.example; scan", VIA, "continue"]);
    let [token] = out.values("X-Postern-Scan")[..] else { panic!("{out:?}") };
    assert!(token.starts_with("k=k1; d=s.example; t="), "{token}");
    // The scanner folds and orders lines as it likes, adds its own, and may split the message.
    let folded = token.replace("\n\t", "\r\n        ");
    let back = [("X-Scan", "ok"), ("x-postern-scan", &folded), ("X-Postern-Via", "[192.0.2.77]:2525")];
    let back = [&back[..], &[("X-Postern-Loop", "mx.example; scan")]].concat();
    for (recipient, want) in [("ann+x@s.example", true), ("bob@S.example", true), ("ann+x@s.example", false)]
    {
        let end = send(&door, POSTFIX, SCANNER, &[recipient], &back).await;
        assert_eq!(end.is_scanned(), want, "{recipient}: {end:?}");
        assert_eq!(end.is_away(), !want, "{recipient}: {end:?}");
        assert_eq!(end.edits[..2], ["remove x-postern-scan 1", "remove X-Postern-Via 1"], "{recipient}");
    }
}

#[tokio::test]
async fn a_round_trip_through_sendmail() {
    let door = door();
    let rcpts = ["Ann@s.example", "bob@o.example"];
    let out = send(&door, SENDMAIL, GATEWAY, &rcpts, &[]).await;
    assert_eq!(
        out.shown(),
        [
            "X-Postern-Loop: mx.example; scan",
            "delete <Ann@s.example>",
            "add recipient <Ann@s.example.scanner.postern-scan.invalid>",
            "delete <bob@o.example>",
            "add recipient <bob@o.example.other.postern-scan.invalid>",
            "continue"
        ]
    );
    assert_eq!(out.values("X-Postern-Scan").len(), 2, "one for each domain");
    let back = send(&door, SENDMAIL, SCANNER, &["ann@s.example"], &out.lines()).await;
    assert!(back.is_scanned(), "{back:?}");
    assert_eq!(back.edits, ["remove X-Postern-Scan 2", "remove X-Postern-Scan 1", "continue"]);
    let back = send(&door, SENDMAIL, OTHER, &["bob@o.example"], &out.lines()).await;
    assert!(back.is_scanned(), "{back:?}");
}

/// Whatever is wrong with a token, the mail goes to the scanner and is not refused.
#[tokio::test]
async fn what_is_not_taken_is_scanned() {
    let door = door();
    let ann = "ann@s.example";
    let good = token(&key("k1"), 0, &[ann]);
    let forged = ScanKey::new("k1", vec![b'x'; 32]).unwrap();
    for (what, client, recipient, value, scanned) in [
        ("right", SCANNER, ann, good.clone(), true),
        ("used", SCANNER, ann, good.clone(), false),
        ("from the first gateway", GATEWAY, ann, token(&key("k1"), 1, &[ann]), false),
        ("the same from the scanner", SCANNER, ann, token(&key("k1"), 1, &[ann]), true),
        (
            "from another scanner",
            OTHER,
            "bob@open.example",
            token(&key("k1"), 0, &["bob@open.example"]),
            false,
        ),
        ("another recipient's", SCANNER, "bob@s.example", token(&key("k1"), 2, &[ann]), false),
        ("another domain's", SCANNER, "ann@t.example", token(&key("k1"), 2, &[ann]), false),
        ("forged", SCANNER, ann, token(&forged, 0, &[ann]), false),
        ("signed with a lost key", SCANNER, ann, token(&key("k0"), 0, &[ann]), false),
        ("nearly too old", SCANNER, ann, token(&key("k1"), i64::from(DAY) - 60, &[ann]), true),
        ("too old", SCANNER, ann, token(&key("k1"), i64::from(DAY) + 60, &[ann]), false),
        ("a little early", SCANNER, ann, token(&key("k1"), -200, &[ann]), true),
        ("early", SCANNER, ann, token(&key("k1"), -900, &[ann]), false),
        ("changed", SCANNER, ann, token(&key("k1"), 3, &[ann]).replace("r=", "r=AAAAAAAAAAAA,"), false),
        ("in lower case", SCANNER, ann, token(&key("k1"), 3, &[ann]).to_lowercase(), false),
        ("none", SCANNER, ann, String::new(), false),
        ("monstrous", SCANNER, ann, "r=".repeat(100_000), false),
    ] {
        let end = send(&door, POSTFIX, client, &[recipient], &[("X-Postern-Scan", &value)]).await;
        assert_eq!(end.is_scanned(), scanned, "{what}: {end:?}");
        assert_eq!(end.is_away(), !scanned, "{what}: {end:?}");
        assert_eq!(end.values("X-Postern-Scan").len(), usize::from(!scanned), "{what}: {end:?}");
    }
    // Who is nobody's gateway stays a stranger, with a token or without.
    let (answers, _) = session(&door, POSTFIX, STRANGER).await.message(&[ann], &[]).await;
    assert_eq!(answers, ["550 5.7.1"]);
}

/// Several tokens are each held against each recipient; one that is missing sends all back.
#[tokio::test]
async fn a_message_is_scanned_for_all_or_for_none() {
    let door = door();
    let (ann, bob) = (token(&key("k1"), 0, &["ann@s.example"]), token(&key("k1"), 0, &["bob@t.example"]));
    let rcpts = ["ann@s.example", "bob@t.example"];
    let half = send(&door, POSTFIX, SCANNER, &rcpts, &[("X-Postern-Scan", &ann)]).await;
    assert!(half.is_away(), "{half:?}");
    assert_eq!(half.values("X-Postern-Scan").len(), 2, "{half:?}");
    // Neither was used.
    let noise = ("X-Postern-Scan", "k=k1; nothing");
    let all = [noise, ("X-Postern-Scan", &bob), noise, ("X-Postern-Scan", &ann)];
    assert!(send(&door, POSTFIX, SCANNER, &rcpts, &all).await.is_scanned());
    assert!(send(&door, POSTFIX, SCANNER, &rcpts[..1], &all).await.is_away());
    // Hundreds of recipients have several tokens.
    let many: Vec<String> = (0..250).map(|n| format!("u{n}@s.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let out = send_out(&door, &many).await;
    assert_eq!(out.values("X-Postern-Scan").len(), 3);
    assert!(send(&door, POSTFIX, SCANNER, &many, &out.lines()).await.is_scanned());
}

/// A token counts when its message was accepted, and only then.
#[tokio::test]
async fn a_refused_message_uses_no_token() {
    let door = door();
    let out = send_out(&door, &["ann@s.example"]).await;
    let mut hops = out.lines();
    hops.extend([("Received", "from a"); 6]);
    let (_, end) = session(&door, POSTFIX, SCANNER).await.message(&["ann@s.example"], &hops).await;
    assert_eq!(end, ["554 5.4.6"]);
    let mut broken = session(&door, POSTFIX, SCANNER).await;
    broken.begin().await;
    assert_eq!(broken.rcpt("ann@s.example").await, "continue");
    drop(broken);
    assert!(send(&door, POSTFIX, SCANNER, &["ann@s.example"], &out.lines()).await.is_scanned());
    assert!(send(&door, POSTFIX, SCANNER, &["ann@s.example"], &out.lines()).await.is_away());
}

#[tokio::test]
async fn a_third_trip_is_a_loop() {
    let door = door();
    let (scan, scanned) = (("X-Postern-Loop", "mx.example; scan"), ("X-Postern-Loop", "mx.example; scanned"));
    let foreign = ("X-Postern-Loop", "other.example; scan");
    let good = token(&key("k1"), 0, &["ann@s.example"]);
    let token = ("X-Postern-Scan", good.as_str());
    let away = "X-Postern-Loop: mx.example; scan";
    for (domain, headers, want) in [
        ("s", &[scan][..], away),
        ("s", &[scan, foreign, foreign], away),
        ("s", &[scan, scan], "554 5.4.6"),
        ("soft", &[scan, scan], "451 4.4.6"),
        ("open", &[scan, scan], "554 5.4.6"),
        // It was here before, and was scanned then.
        ("s", &[scan, scanned, scan], away),
        ("s", &[scan, scanned, scan, scan], "554 5.4.6"),
        // Who forges lines comes to the other limit.
        ("s", &[scanned, scanned, scan, scan], away),
        ("s", &[scanned, scanned, scanned, scan, scan, scan], "554 5.4.6"),
        // What comes back right is none, and is not counted twice.
        ("s", &[scan, scanned, scan, scanned, scan, token], "X-Postern-Loop: mx.example; scanned"),
        ("m", &[scan, scan], "X-Postern-Loop: mx.example"),
    ] {
        let rcpt = format!("ann@{domain}.example");
        let end = send(&door, POSTFIX, SCANNER, &[&rcpt], headers).await;
        assert_eq!(end.shown()[0], want, "{domain} {headers:?}");
    }
}

/// A scanner that is down is waited for by the MTA, or is done without where that is wanted.
#[tokio::test]
async fn a_scanner_that_is_down() {
    let door = door_of(policy_of_scans(true));
    let out = send(&door, POSTFIX, GATEWAY, &["ann@s.example"], &[]).await;
    assert!(out.is_away() && !out.values("X-Postern-Via").is_empty(), "{out:?}");
    let end = send(&door, POSTFIX, GATEWAY, &["ann@deliver.example", "ann@plain.example"], &[]).await;
    assert_eq!(end.shown(), ["X-Postern-Loop: mx.example", "continue"]);
    // What was away before comes back all the same.
    let good = token(&key("k1"), 0, &["ann@deliver.example"]);
    let end = send(&door, POSTFIX, SCANNER, &["ann@deliver.example"], &[("X-Postern-Scan", &good)]).await;
    assert!(end.is_scanned(), "{end:?}");
    assert!(send(&self::door(), POSTFIX, GATEWAY, &["ann@deliver.example"], &[]).await.is_away());
    // One of them is sent, the other is not.
    let mut both = session(&door, POSTFIX, GATEWAY).await;
    let (answers, _) = both.message(&["ann@deliver.example", "ann@s.example"], &[]).await;
    assert_eq!(answers, ["continue", "452 4.5.3"]);
}

/// Without keys mail waits, whichever way it goes; where a header line will do, no key is needed.
#[tokio::test]
async fn without_keys_mail_waits() {
    let door = Door::new(policy_of_scans(false));
    let good = token(&key("k1"), 0, &["ann@s.example"]);
    let looping = ("X-Postern-Loop", "mx.example; scan");
    for (client, rcpt, headers, want) in [
        (GATEWAY, "ann@s.example", &[][..], "451 4.7.1"),
        (SCANNER, "ann@s.example", &[("X-Postern-Scan", good.as_str())], "451 4.7.1"),
        (SCANNER, "ann@s.example", &[looping, looping], "451 4.7.1"),
        (GATEWAY, "ann@soft.example", &[], "451 4.7.1"),
        (GATEWAY, "ann@strip.example", &[], "X-Postern-Loop: mx.example; scan"),
        (GATEWAY, "ann@m.example", &[], "X-Postern-Loop: mx.example"),
        (GATEWAY, "ann@plain.example", &[], "X-Postern-Loop: mx.example"),
    ] {
        let end = send(&door, POSTFIX, client, &[rcpt], headers).await;
        assert_eq!(end.shown()[0], want, "{client} {rcpt}: {end:?}");
    }
    door.judge.set_scan_keys(Some(ScanKeys::new(key("k1"), [])));
    let end = send(&door, POSTFIX, SCANNER, &["ann@s.example"], &[("X-Postern-Scan", &good)]).await;
    assert!(end.is_scanned(), "{end:?}");
}

/// Who can be in one message: with Postfix all of it goes one way.
#[tokio::test]
async fn recipients_that_go_different_ways_are_parted() {
    const PARTED: &str = "452 4.5.3";
    let door = door();
    for (version, rcpts, want) in [
        (POSTFIX, ["s", "t"], "continue"),
        (POSTFIX, ["s", "o"], PARTED),
        (SENDMAIL, ["s", "o"], "continue"),
        (POSTFIX, ["s", "plain"], PARTED),
        (POSTFIX, ["plain", "s"], PARTED),
        // The lines that it is sent with would go to those as well.
        (SENDMAIL, ["s", "plain"], PARTED),
        (POSTFIX, ["s", "elsewhere"], PARTED),
        (POSTFIX, ["m", "plain"], "continue"),
        (POSTFIX, ["s", "m"], PARTED),
        (POSTFIX, ["off", "elsewhere"], "continue"),
        (POSTFIX, ["s", "strip"], "continue"),
    ] {
        for client in [GATEWAY, SCANNER] {
            let rcpts = rcpts.map(|domain| format!("ann@{domain}.example"));
            let rcpts: Vec<&str> = rcpts.iter().map(String::as_str).collect();
            // What else the client may not do is not of interest here.
            if client == SCANNER && rcpts.iter().any(|rcpt| rcpt.contains("plain") || rcpt.contains("@o.")) {
                continue;
            }
            let (answers, _) = session(&door, version, client).await.message(&rcpts, &[]).await;
            assert_eq!(answers, ["continue", want], "{version} {client} {rcpts:?}");
        }
    }
    // Tokens for no more domains than MTAs take header lines.
    let many: Vec<String> = (0..1700).map(|n| format!("u{n}@s.example")).collect();
    let mut peer = session(&door, POSTFIX, GATEWAY).await;
    peer.begin().await;
    for (at, rcpt) in many.iter().enumerate() {
        let want = if at < 1600 { "continue" } else { PARTED };
        assert_eq!(peer.rcpt(rcpt).await, want, "{at}");
    }
}

/// A recipient that nobody gets goes nowhere, and decides nothing for the others.
#[tokio::test]
async fn discarded_recipients_are_not_scanned() {
    let door = door();
    let mut peer = session(&door, POSTFIX, STRANGER).await;
    let (answers, end) = peer.message(&["ann@d.example", "ann@elsewhere.example"], &[]).await;
    assert_eq!(answers, ["continue", "continue"]);
    assert_eq!(end, ["delete <ann@d.example>", "continue"]);
}

/// What is monitored, internal, inactive or not ours is sent nowhere, and carries none of our lines on.
#[tokio::test]
async fn whose_mail_is_not_scanned() {
    let door = door();
    let value = token(&key("k1"), 0, &["ann@m.example"]);
    let brought =
        [("X-Postern-Scan", value.as_str()), ("X-Postern-Via", "[192.0.2.1]"), ("X-Postern-Tag", "x")];
    let both = ["remove X-Postern-Scan 1", "remove X-Postern-Via 1"];
    for (client, rcpt, line, removed) in [
        (GATEWAY, "ann@m.example", "X-Postern-Loop: mx.example", &both[..]),
        (SCANNER, "ann@m.example", "X-Postern-Loop: mx.example", &both),
        ("10.0.0.1", "ann@s.example", "X-Postern-Loop: mx.example", &both),
        (GATEWAY, "ann@off.example", "", &both),
        (GATEWAY, "ann@elsewhere.example", "", &both),
    ] {
        let end = send(&door, POSTFIX, client, &[rcpt], &brought).await;
        let lines: Vec<String> = end.added.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(lines.join(" "), line, "{client} {rcpt}");
        assert!(
            removed.iter().all(|line| end.edits.iter().any(|edit| edit == line)),
            "{client} {rcpt}: {end:?}"
        );
        assert_eq!(end.edits.last().unwrap(), "continue");
    }
}

/// The gateway stamps a constant line, which is checked and taken off.
#[tokio::test]
async fn a_gateway_that_stamps_a_line() {
    let door = door();
    let rcpt = ["ann@strip.example"];
    let out = send_out(&door, &rcpt).await;
    assert!(out.values("X-Postern-Scan").is_empty());
    assert_eq!(out.values("X-Postern-Via").len(), 1);
    let right = ("X-Scanned-By", "s3cret-value");
    let mut back = out.lines();
    back.push(right);
    for _ in 0..2 {
        let end = send(&door, POSTFIX, SCANNER, &rcpt, &back).await;
        assert!(end.is_scanned(), "{end:?}");
        assert_eq!(end.edits, ["remove X-Postern-Via 1", "remove X-Scanned-By 1", "continue"]);
    }
    // A stranger who has seen the line in a mailbox; a gateway of the domain that has, too.
    let end = send(&door, POSTFIX, GATEWAY, &rcpt, &[right]).await;
    assert!(end.is_away() && end.edits[0] == "remove X-Scanned-By 1", "{end:?}");
    for value in ["guess", ""] {
        let (_, end) =
            session(&door, POSTFIX, SCANNER).await.message(&rcpt, &[("X-Scanned-By", value)]).await;
        assert_eq!(end, ["550 5.7.1"], "that client is the gateway by its line alone");
    }
}

/// What cannot be steered is deferred, never delivered unscanned.
#[tokio::test]
async fn an_mta_that_cannot_be_steered() {
    let door = door();
    let all = Actions::all();
    for (version, actions, want) in [
        (POSTFIX, all, "continue"),
        (SENDMAIL, all, "continue"),
        ("", all, "451 4.7.1"),
        ("Exim 4.96", all, "451 4.7.1"),
        (POSTFIX, all - Actions::ADD_HEADER, "451 4.7.1"),
        (POSTFIX, all - Actions::CHANGE_HEADER, "451 4.7.1"),
        (POSTFIX, all - Actions::ADD_RCPT, "continue"),
        (SENDMAIL, all - Actions::ADD_RCPT, "451 4.7.1"),
        (SENDMAIL, all - Actions::DELETE_RCPT, "451 4.7.1"),
    ] {
        let offer = Offer { actions, ..Offer::current() };
        let mut peer = session_offering(&door, version, GATEWAY, offer).await;
        peer.begin().await;
        let got = [peer.rcpt("ann@s.example").await, peer.rcpt("ann@soft.example").await];
        assert_eq!(got, [want; 2], "{version} {actions:?}");
        assert_eq!(
            session(&door, version, GATEWAY).await.message(&["ann@m.example"], &[]).await.0,
            ["continue"]
        );
    }
}

/// Keys change while a message is away, and the server starts anew.
#[tokio::test]
async fn keys_change_and_uses_are_remembered_over_a_restart() {
    let before = door();
    let out = send_out(&before, &["ann@s.example", "bob@s.example"]).await;
    before.judge.set_scan_keys(Some(ScanKeys::new(key("k2"), [key("k1")])));
    assert!(send(&before, POSTFIX, SCANNER, &["ann@s.example"], &out.lines()).await.is_scanned());
    let next = send_out(&before, &["ann@s.example"]).await;
    assert!(next.values("X-Postern-Scan")[0].starts_with("k=k2; "));
    let spent = before.judge.spent_tokens().unwrap();
    assert_eq!(spent.len(), 1);
    assert!(before.judge.spent_tokens().is_none(), "nothing since");
    let after = Door::of(Gate::new(policy_of_scans(false)));
    after.judge.set_scan_keys(Some(ScanKeys::new(key("k2"), [key("k1")])));
    after.judge.recall_spent_tokens(&spent);
    assert!(send(&after, POSTFIX, SCANNER, &["ann@s.example"], &out.lines()).await.is_away());
    assert!(send(&after, POSTFIX, SCANNER, &["bob@s.example"], &out.lines()).await.is_scanned());
    // The old key is gone.
    after.judge.set_scan_keys(Some(ScanKeys::new(key("k3"), [key("k2")])));
    let late = token(&key("k1"), 0, &["ann@s.example"]);
    assert!(send(&after, POSTFIX, SCANNER, &["ann@s.example"], &[("X-Postern-Scan", &late)]).await.is_away());
    assert!(send(&after, POSTFIX, SCANNER, &["ann@s.example"], &next.lines()).await.is_scanned());
}
