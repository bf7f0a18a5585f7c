// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets on the milter port, as raw as they come and as well-formed packets: the session ends without a panic, and
//! everything it answers is of the protocol.
#![no_main]

use indymilter::message::reply::Reply;
use indymilter::message::{self, Message};
use libfuzzer_sys::fuzz_target;
use postern::gate::Gate;
use postern::listen::{Drain, Peer};
use postern::mail::{CertificatePattern, DomainPattern, DomainTable, Network, Secret};
use postern::policy::{
    Directories, DomainPolicy, Gateway, Gateways, HeaderFactor, Internal, LoopRule, Mode, Policy, RecipientRules, Replies, Reputation, Require,
    ReverseRule, Source, Unlisted, Verdict, Verdicts,
};
use std::sync::{Arc, LazyLock};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

static GATE: LazyLock<Arc<Gate>> = LazyLock::new(|| {
    let network = Network::parse("192.0.2.0/24").unwrap().network;
    let mut gateways = Gateways::default();
    let networks = || [network].into_iter().collect();
    let gateway = gateways.add(Gateway::by_networks("seg", networks()));
    // The last domain's gateway has every factor, and is looked behind.
    let full = gateways.add(Gateway {
        certificate: [CertificatePattern::parse("*.seg.example").unwrap()].into(),
        header: Some(HeaderFactor { name: "X-Id".into(), secrets: [Secret::new(*b"secret")].into() }),
        require: Require::All { address: true, certificate: true, header: true },
        behind: Some(Verdict::Tag),
        ..Gateway::by_networks("full", networks())
    });
    let mut table = DomainTable::default();
    let verdicts = [Verdict::Reject, Verdict::Quarantine, Verdict::Discard, Verdict::Tag, Verdict::Defer];
    for (name, source) in ["a.example", "b.example", "c.example", "d.example", "*.e.example"].into_iter().zip(verdicts) {
        let pattern = DomainPattern::parse(name).unwrap();
        let domain = DomainPolicy {
            pattern: pattern.clone(),
            mode: Mode::Enforce,
            source: Source::Gateways(vec![if name == "*.e.example" { full } else { gateway }]),
            directories: Vec::new(),
            subaddress: "+".into(),
            recipients: RecipientRules::default(),
            unrouted: postern::policy::Unrouted::Pass,
            scan: None,
            verdicts: Verdicts { source, ..Verdicts::default() },
            replies: Replies::default(),
        };
        table.insert(pattern, Arc::new(domain));
    }
    let loops = LoopRule { id: "mx.example".into(), max_passes: 2, max_received: 3 };
    let reputation = Reputation { threshold: 1, reverse: ReverseRule::Confirmed };
    Arc::new(Gate::new(Policy::new(Internal::default(), Unlisted::default(), table, gateways, Directories::default(), loops, reputation)))
});

/// The first octet chooses: raw octets, or packets cut out of them (a letter, a length octet, the content).
async fn octets(data: &[u8]) -> Vec<u8> {
    let Some((&how, mut rest)) = data.split_first() else { return Vec::new() };
    if how & 1 == 0 {
        return rest.to_vec();
    }
    let options: u32 = if how & 2 == 0 { 0x1f_ffff } else { 0 };
    let mut out = Vec::new();
    let negotiation = [&6u32.to_be_bytes()[..], &0x1ffu32.to_be_bytes(), &options.to_be_bytes()].concat();
    message::write(&mut out, Message::new(b'O', negotiation)).await.unwrap();
    while let [letter, length, content @ ..] = rest {
        let (content, after) = content.split_at(content.len().min(usize::from(*length)));
        let letter = b"ABCDEHKLMNQRTU"[usize::from(*letter) % 14];
        message::write(&mut out, Message::new(letter, content.to_vec())).await.unwrap();
        rest = after;
    }
    out
}

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (_drain, draining) = Drain::new();
        let input = octets(data).await;
        let write = async {
            let _ = ours.write_all(&input).await;
            let _ = ours.shutdown().await;
            while let Ok(answer) = message::read(&mut ours).await {
                Reply::parse_reply(answer).expect("an answer of the protocol");
            }
        };
        tokio::join!(postern::milter::serve(theirs, Peer::Unix, Arc::clone(&GATE), draining), write);
    });
});
