// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets on the port for policy delegation, as raw as they come and as well-formed requests: the connection ends
//! without a panic, each request that can be read has one answer, and every answer is one line that Postfix understands.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::gate::Gate;
use postern::listen::{Drain, Peer};
use postern::mail::{CertificateFingerprint, DomainPattern, DomainTable, Network, Secret};
use postern::policy::{
    Directories, DomainPolicy, Gateway, Gateways, HeaderFactor, Internal, LoopRule, Mode, Policy, RecipientRules, Replies,
    Reputation, Require, Source, Unlisted, Verdict, Verdicts,
};
use postern::policyd::{Manner, Shared, first, serve};
use std::sync::{Arc, LazyLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

static GATE: LazyLock<Arc<Gate>> = LazyLock::new(|| {
    let network = Network::parse("192.0.2.0/24").unwrap().network;
    let networks = || [network].into_iter().collect();
    let fingerprint = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let mut gateways = Gateways::default();
    let plain = gateways.add(Gateway::by_networks("seg", networks()));
    let full = gateways.add(Gateway {
        fingerprints: [CertificateFingerprint::parse(fingerprint).unwrap()].into(),
        header: Some(HeaderFactor { name: "X-Id".into(), secrets: [Secret::new(*b"secret")].into() }),
        require: Require::All { address: true, certificate: true, header: true },
        ..Gateway::by_networks("full", networks())
    });
    let mut table = DomainTable::default();
    let verdicts = [Verdict::Reject, Verdict::Quarantine, Verdict::Discard, Verdict::Tag, Verdict::Defer];
    for (name, source) in ["a.example", "b.example", "c.example", "d.example", "*.e.example"].into_iter().zip(verdicts) {
        let pattern = DomainPattern::parse(name).unwrap();
        let domain = DomainPolicy {
            pattern: pattern.clone(),
            mode: Mode::Enforce,
            source: Source::Gateways(vec![if name == "*.e.example" { full } else { plain }]),
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
    let (internal, unlisted) = (Internal::default(), Unlisted::default());
    let (directories, loops) = (Directories::default(), LoopRule::default());
    Arc::new(Gate::new(Policy::new(internal, unlisted, table, gateways, directories, loops, Reputation::default())))
});

const NAMES: [&str; 16] = [
    "request", "protocol_state", "client_address", "client_name", "client_port", "server_port", "helo_name", "sender",
    "recipient", "queue_id", "instance", "sasl_method", "sasl_username", "ccert_subject", "ccert_fingerprint", "other",
];
const VALUES: [&str; 16] = [
    "RCPT", "DATA", "END-OF-MESSAGE", "EHLO", "192.0.2.9", "198.51.100.1", "unknown", "ann@a.example", "ann@b.example",
    "ann@c.example", "ann@d.example", "ann@x.e.example", "ann%a.example", "a.b.c.0", "a.b.c.1", "",
];

/// The first octet chooses: raw octets, or attributes cut out of them (a name, a value or its length, the content).
fn octets(data: &[u8]) -> Vec<u8> {
    let Some((&how, mut rest)) = data.split_first() else { return Vec::new() };
    if how & 1 == 0 {
        return rest.to_vec();
    }
    const HEAD: &[u8] = b"request=smtpd_access_policy\nprotocol_state=RCPT\n";
    let mut out = HEAD.to_vec();
    if how & 4 == 0 {
        out.truncate(b"request=smtpd_access_policy\n".len());
    }
    while let [name, value, after @ ..] = rest {
        rest = after;
        if *name & 0x80 != 0 {
            out.push(b'\n');
            out.extend_from_slice(HEAD);
            continue;
        }
        out.extend_from_slice(NAMES[usize::from(name & 15)].as_bytes());
        out.push(b'=');
        if value & 0x80 == 0 {
            out.extend_from_slice(VALUES[usize::from(value & 15)].as_bytes());
        } else {
            let (content, after) = rest.split_at(rest.len().min(usize::from(value & 31)));
            out.extend_from_slice(content);
            rest = after;
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

fn is_answer(text: &str) -> bool {
    let Some(action) = text.strip_prefix("action=") else { return false };
    let is_reply = || {
        let mut words = action.split(' ');
        let (code, enhanced) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        ["450", "451", "452", "550", "554"].contains(&code) && enhanced.as_bytes().first() == code.as_bytes().first()
    };
    let message_wide = ["PREPEND X-Postern-Tag: ", "HOLD ", "DISCARD "];
    action.bytes().all(|b| (b' '..=b'~').contains(&b))
        && (action == "DUNNO" || message_wide.iter().any(|begin| action.starts_with(begin)) || is_reply())
}

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (_drain, draining) = Drain::new();
        let input = octets(data);
        let manner = Manner { alone: data.first().is_none_or(|how| how & 2 == 0) };
        let door = serve(theirs, Peer::Unix, Arc::clone(&GATE), (manner, Arc::<Shared>::default()), draining);
        let mut heard = Vec::new();
        let talk = async {
            let (mut read, mut write) = ours.split();
            let ask = async {
                let _ = write.write_all(&input).await;
                let _ = write.shutdown().await;
            };
            let listen = async {
                let _ = read.read_to_end(&mut heard).await;
            };
            tokio::join!(ask, listen);
        };
        tokio::join!(door, talk);
        let heard = String::from_utf8(heard).expect("text");
        let answers: Vec<&str> = heard.split_terminator("\n\n").collect();
        let (mut rest, mut requests) = (&input[..], 0);
        while let Ok(Some((_, extent))) = first(rest) {
            rest = &rest[extent..];
            requests += 1;
        }
        assert_eq!(answers.len(), requests);
        assert!(answers.into_iter().all(is_answer), "{heard}");
    });
});
