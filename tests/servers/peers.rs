// SPDX-License-Identifier: GPL-3.0-or-later
//! One look at hosts of every kind: what is told of each, and that no message is ever begun.

use crate::common::address::{own_address, own_address6};
use crate::common::authority::{Authority, Issued, Shown};
use crate::common::sink::Sink;
use crate::peer::{Act, GREETING, OFFER, Peer};
use postern::dns::Resolver;
use postern::https::authorities;
use postern::mail::{CertificatePattern, NextHop};
use postern::policy::TlsWish;
use postern::servers::{CertificateFault, Looked, Outcome, Patience, Probe, Said, Spoken, Step, Tls};
use std::net::SocketAddr;
use std::time::Duration;

/// Somebody who has little patience and no name server.
fn probe(authority: Option<&Authority>) -> Probe<Resolver> {
    let second = Duration::from_secs(1);
    let patience = Patience { connect: 5 * second, step: second, whole: 10 * second };
    let roots = authority.map(|authority| authorities(Some(&authority.certificate())).unwrap());
    Probe::new(Box::new(|| Err("nobody is asked".to_owned())), "mx.example", roots, patience).unwrap()
}

fn hop(address: SocketAddr) -> NextHop {
    NextHop::parse(&address.to_string()).unwrap()
}

fn verify(name: &str) -> TlsWish {
    TlsWish::Verify([CertificatePattern::parse(name).unwrap()].into())
}

fn outcome(looked: Looked) -> Outcome {
    let [visit] = <[_; 1]>::try_from(looked.visits).unwrap();
    visit.outcome
}

fn said(step: Step, reply: &str) -> Said {
    Said { step, reply: reply.to_owned() }
}

/// What a host does is what is told of it.
#[tokio::test]
async fn hosts_that_speak_in_clear() {
    let greets = |answers| Act::plain(GREETING, answers);
    let fine =
        |offered| Outcome::Fine { banner: "220 peer.example ESMTP".into(), tls: Tls::NotAsked { offered } };
    let (may, encrypt, dane) = (TlsWish::May, TlsWish::Encrypt, TlsWish::Dane);
    for (act, wish, want) in [
        (greets(&[]), &may, fine(false)),
        (greets(&[("EHLO", OFFER)]), &may, fine(true)),
        (
            greets(&[("EHLO", OFFER)]),
            &dane,
            Outcome::Fine { banner: "220 peer.example ESMTP".into(), tls: Tls::Offered },
        ),
        (greets(&[]), &dane, Outcome::NoTls(None)),
        (greets(&[]), &encrypt, Outcome::NoTls(None)),
        // Of old hosts that know no EHLO, and of those that refuse both.
        (greets(&[("EHLO", "502 5.5.2 what?\r\n")]), &may, fine(false)),
        (
            greets(&[("EHLO", "550 go\r\n"), ("HELO", "550-go\r\n550 away\r\n")]),
            &may,
            Outcome::No(said(Step::Hello, "550 go")),
        ),
        (
            greets(&[("EHLO", "421 4.3.2 busy\r\n")]),
            &may,
            Outcome::NotNow(said(Step::Hello, "421 4.3.2 busy")),
        ),
        (
            greets(&[("EHLO", "354 what?\r\n")]),
            &may,
            Outcome::NotSmtp("it answers EHLO with 354 what?".into()),
        ),
        (Act::plain("421 busy\r\n", &[]), &may, Outcome::NotNow(said(Step::Banner, "421 busy"))),
        (Act::plain("450 later\r\n", &[]), &may, Outcome::NotNow(said(Step::Banner, "450 later"))),
        (Act::plain("554-no\r\n554 mail here\r\n", &[]), &may, Outcome::No(said(Step::Banner, "554 no"))),
        (
            greets(&[("EHLO", OFFER), ("STARTTLS", "454 4.7.0 not now\r\n")]),
            &encrypt,
            Outcome::NoTls(Some("454 4.7.0 not now".into())),
        ),
        // Injected text and a host that goes on in clear.
        (
            greets(&[("EHLO", OFFER), ("STARTTLS", "220 go\r\n250 injected\r\n")]),
            &encrypt,
            Outcome::BrokenTls("it says more before TLS begins".into()),
        ),
        (Act::Silent(""), &may, Outcome::TimedOut(Step::Banner)),
        (Act::Silent(GREETING), &may, Outcome::TimedOut(Step::Hello)),
        (Act::Silent("220-peer.example\r\n"), &may, Outcome::TimedOut(Step::Banner)),
        (Act::Drip("220-peer.example\r\n"), &may, Outcome::TimedOut(Step::Banner)),
        (Act::Flood("220-more\r\n"), &may, Outcome::NotSmtp("its reply has too many lines".into())),
        (Act::Flood("2"), &may, Outcome::NotSmtp("a line of its reply is too long".into())),
        (Act::Flood("\0\u{7f}x\n"), &may, Outcome::NotSmtp("it does not answer as SMTP does".into())),
        (
            Act::HangUp("SSH-2.0-OpenSSH_9.2\r\n"),
            &may,
            Outcome::NotSmtp("it does not answer as SMTP does".into()),
        ),
        (Act::HangUp(""), &may, Outcome::Unreachable("it closes the connection".into())),
        (Act::HangUp("220-peer"), &may, Outcome::Unreachable("it closes the connection".into())),
    ] {
        let peer = Peer::start(act).await;
        let found = outcome(probe(None).look(&hop(peer.address), wish).await);
        assert_eq!(found, want, "{wish:?}");
        let begun = peer.commands().iter().any(|command| ["MAIL", "RCPT", "DATA"].contains(&&**command));
        assert!(!begun, "{:?}", peer.commands());
    }
}

/// The names in the certificate of a host that is fine, or what is wrong.
type Want<'a> = Result<&'a [&'a str], Outcome>;

/// Certificates of one authority, and one of a stranger.
#[tokio::test]
async fn hosts_that_speak_tls() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mail = authority.issue("mail", "/CN=x", "DNS:mail.example.com,DNS:other.example", "2");
    let wild = authority.issue("wild", "/CN=x", "DNS:*.example.com", "2");
    let common = authority.issue("common", "/CN=mail.example.com", "IP:127.0.0.1", "2");
    let expired = authority.serve(Shown::Expired);
    let foreign = stranger.issue("mail", "/CN=x", "DNS:mail.example.com", "2");
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let wrong = |fault: CertificateFault, seen: &[&str], wanted: &str| Outcome::WrongCertificate {
        fault,
        seen: names(seen),
        wanted: names(&[wanted]),
    };
    let chain = |why: &str| CertificateFault::Chain(why.to_owned());
    let both = ["mail.example.com", "other.example"];
    let cases: [(&Issued, TlsWish, Want<'_>); 12] = [
        (&mail, verify("mail.example.com"), Ok(&both)),
        (&mail, verify("*.example.com"), Ok(&both)),
        (&mail, verify("OTHER.example"), Ok(&both)),
        (&mail, verify("mail.example.net"), Err(wrong(CertificateFault::Name, &both, "mail.example.net"))),
        (&wild, verify("mail.example.com"), Ok(&["*.example.com"])),
        (
            &wild,
            verify("a.mail.example.com"),
            Err(wrong(CertificateFault::Name, &["*.example.com"], "a.mail.example.com")),
        ),
        (&common, verify("mail.example.com"), Err(wrong(CertificateFault::Name, &[], "mail.example.com"))),
        (&expired, verify("localhost"), Err(wrong(chain("it has ended"), &["localhost"], "localhost"))),
        (
            &foreign,
            verify("mail.example.com"),
            Err(wrong(
                chain("nobody trusted here vouches for it"),
                &["mail.example.com"],
                "mail.example.com",
            )),
        ),
        // Any certificate does, where only encryption is wished.
        (&foreign, TlsWish::Encrypt, Ok(&["mail.example.com"])),
        (&expired, TlsWish::Encrypt, Ok(&["localhost"])),
        (&common, TlsWish::Encrypt, Ok(&[])),
    ];
    for (issued, wish, want) in cases {
        let peer = Peer::start(Act::tls(issued)).await;
        let found = outcome(probe(Some(&authority)).look(&hop(peer.address), &wish).await);
        let fine = want.is_ok();
        let want = want.map_or_else(
            |outcome| outcome,
            |seen| Outcome::Fine {
                banner: "220 peer.example ESMTP".into(),
                tls: Tls::Spoken(Spoken {
                    version: "TLSv1.3".into(),
                    names: names(seen),
                    verified: wish != TlsWish::Encrypt,
                }),
            },
        );
        assert_eq!(found, want, "{wish:?}");
        // Who is not right is left in order, too.
        let commands: &[&str] =
            if fine { &["EHLO", "STARTTLS", "EHLO", "QUIT"] } else { &["EHLO", "STARTTLS", "QUIT"] };
        assert_eq!(peer.commands(), commands, "{wish:?}");
        assert_eq!(peer.lines()[0], "EHLO mx.example");
    }
}

#[tokio::test]
async fn tls_that_does_not_come_about() {
    let authority = Authority::new();
    let mail = authority.issue("mail", "/CN=x", "DNS:mail.example.com", "2");
    // No TLS behind the offer: what comes is no handshake.
    let answers: &[(&str, &str)] = &[("EHLO", OFFER), ("STARTTLS", "220 go\r\n")];
    let peer = Peer::start(Act::plain(GREETING, answers)).await;
    let found = outcome(probe(None).look(&hop(peer.address), &TlsWish::Encrypt).await);
    assert!(matches!(found, Outcome::BrokenTls(_) | Outcome::TimedOut(Step::Handshake)), "{found:?}");
    // Refused after the handshake.
    let Act::Talk { banner, answers, tls, .. } = Act::tls(&mail) else { panic!() };
    let secure: &[(&str, &str)] = &[("EHLO", "421 no more\r\n")];
    let peer = Peer::start(Act::Talk { banner, answers, tls, secure }).await;
    let found = outcome(probe(None).look(&hop(peer.address), &TlsWish::Encrypt).await);
    assert_eq!(found, Outcome::NotNow(said(Step::SecureHello, "421 no more")));
}

#[tokio::test]
async fn hosts_that_are_not_there() {
    let address = own_address(2500);
    assert_eq!(outcome(probe(None).look(&hop(address), &TlsWish::May).await), Outcome::Refused);
    let named = NextHop::parse("mail.example.com").unwrap();
    let looked = probe(None).look(&named, &TlsWish::May).await;
    assert_eq!(looked.takes_mail(), None);
    assert_eq!(outcome(looked), Outcome::Unresolved("nobody is asked".into()));
}

/// The tests' own next hop, and a name for us that is none: then our address is said.
#[tokio::test]
async fn the_sink_takes_mail_and_gets_none() {
    let sink = Sink::start();
    let looked = probe(None).look(&hop(sink.address()), &TlsWish::May).await;
    assert!(looked.is_fine(), "{looked:?}");
    assert!(sink.deliveries().is_empty());
    for (address, literal) in [(own_address(2500), "EHLO [127."), (own_address6(), "EHLO [IPv6:::1]")] {
        let peer = Peer::at(address, Act::plain(GREETING, &[])).await;
        let names = Box::new(|| Err("nobody is asked".to_owned()));
        let probe = Probe::<Resolver>::new(names, "no name!", None, Patience::default()).unwrap();
        let looked = probe.look(&hop(address), &TlsWish::May).await;
        assert!(looked.is_fine(), "{looked:?}");
        assert!(peer.lines()[0].starts_with(literal), "{:?}", peer.lines());
    }
}
