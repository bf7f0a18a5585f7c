// SPDX-License-Identifier: GPL-3.0-or-later
//! A door on one end of a socket pair, and an MTA, or raw packets, on the other.

use indymilter::message::command::{Command, ConnInfoPayload, EnvAddrPayload, HeaderPayload, HeloPayload};
use indymilter::message::reply::Reply;
use indymilter::{Actions, MacroStage, ProtoOpts, SocketInfo};
use postern::gate::{Gate, Judge};
use postern::listen::{self, Drain, Draining};
use postern::mail::{Domain, DomainPattern, DomainTable, Mailbox, MailboxSetBuilder, Network};
use postern::milter::{self, Exchange, Mta, Offer};
use postern::policy::{
    Directories, Directory, DomainPolicy, Gateway, Gateways, Internal, LoopRule, Mode, Policy,
    RecipientRules, Replies, Reputation, Source, Unlisted, Verdict, Verdicts,
};
use std::ffi::CString;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

pub(crate) const GATEWAY: &str = "192.0.2.9";
pub(crate) const STRANGER: &str = "198.51.100.1";

/// A policy: a.example enforced, b.example held for strangers, d.example discards them, t.example tags them,
/// m.example monitored, off.example inactive; all with ann and bob.
pub(crate) fn policy() -> Policy {
    let with_source = |source| Verdicts { source, ..Verdicts::default() };
    policy_of(&[
        ("a.example", Mode::Enforce, Verdicts::default()),
        ("b.example", Mode::Enforce, with_source(Verdict::Quarantine)),
        ("d.example", Mode::Enforce, with_source(Verdict::Discard)),
        ("t.example", Mode::Enforce, with_source(Verdict::Tag)),
        ("m.example", Mode::Monitor, Verdicts::default()),
        ("off.example", Mode::Inactive, Verdicts::default()),
    ])
}

pub(crate) fn policy_of(domains: &[(&str, Mode, Verdicts)]) -> Policy {
    policy_with_loops(domains, LoopRule { id: "mx.example".into(), max_passes: 3, max_received: 50 })
}

pub(crate) fn policy_with_loops(domains: &[(&str, Mode, Verdicts)], loops: LoopRule) -> Policy {
    let networks = ["192.0.2.0/24", "2001:db8:1::/48", "::1/128"];
    let networks = networks.iter().map(|text| Network::parse(text).unwrap().network).collect();
    let mut gateways = Gateways::default();
    let gateway = gateways.add(Gateway::by_networks("seg", networks));
    let mut builder = MailboxSetBuilder::new();
    for (domain, _, _) in domains {
        for user in ["ann", "bob"] {
            builder.insert(&Mailbox::parse_strict(&format!("{user}@{domain}")).unwrap());
        }
    }
    builder.insert_domain(Domain::parse("whole.example").unwrap());
    let mut directories = Directories::default();
    let directory = directories.add(Directory::loaded("staff", builder.build().into()));
    let mut table = DomainTable::default();
    for &(name, mode, verdicts) in domains {
        let pattern = DomainPattern::parse(name).unwrap();
        let domain = DomainPolicy {
            pattern: pattern.clone(),
            mode,
            source: Source::Gateways(vec![gateway]),
            directories: vec![directory],
            subaddress: "+".into(),
            recipients: RecipientRules::default(),
            unrouted: postern::policy::Unrouted::Pass,
            scan: None,
            verdicts,
            replies: Replies::default(),
        };
        table.insert(pattern, Arc::new(domain));
    }
    let internal = Internal {
        networks: [Network::parse("10.0.0.0/8").unwrap().network].into_iter().collect(),
        authenticated: true,
    };
    Policy::new(internal, Unlisted::default(), table, gateways, directories, loops, Reputation::default())
}

/// A door that serves one connection.
pub(crate) struct Door<J = Gate> {
    pub(crate) judge: Arc<J>,
    pub(crate) drain: Drain,
    draining: Draining,
}

impl Door {
    pub(crate) fn new(policy: Policy) -> Self {
        Self::of(Gate::new(policy))
    }
}

impl<J: Judge> Door<J> {
    pub(crate) fn of(judge: J) -> Self {
        let (drain, draining) = Drain::new();
        Self { judge: Arc::new(judge), drain, draining }
    }

    /// A session's side of draining.
    pub(crate) fn draining(&self) -> Draining {
        self.draining.clone()
    }

    /// One end of a connection that the door serves.
    pub(crate) fn connect(&self) -> (UnixStream, JoinHandle<()>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let served =
            milter::serve(theirs, listen::Peer::Unix, Arc::clone(&self.judge), self.draining.clone());
        (ours, tokio::spawn(served))
    }

    /// An MTA that has negotiated as Postfix does.
    pub(crate) async fn mta(&self) -> Peer {
        self.mta_offering(Offer::current()).await
    }

    pub(crate) async fn mta_offering(&self, offer: Offer) -> Peer {
        let (stream, served) = self.connect();
        Peer { mta: Mta::open(stream, offer).await.unwrap(), served }
    }

    /// Drops the door's own hold on draining, so that only sessions are waited for.
    pub(crate) fn into_drain(self) -> Drain {
        self.drain
    }
}

/// An MTA in a session.
pub(crate) struct Peer {
    pub(crate) mta: Mta<UnixStream>,
    pub(crate) served: JoinHandle<()>,
}

pub(crate) fn string(text: &str) -> CString {
    CString::new(text).unwrap()
}

pub(crate) fn connect(address: &str) -> Command {
    let address: std::net::IpAddr = address.parse().unwrap();
    let socket_info = SocketInfo::Inet((address, 4711).into());
    Command::ConnInfo(ConnInfoPayload { hostname: string("client.example"), socket_info })
}

pub(crate) fn helo() -> Command {
    Command::Helo(HeloPayload { hostname: string("client.example") })
}

pub(crate) fn mail(sender: &str) -> Command {
    Command::Mail(EnvAddrPayload { args: vec![string(sender), string("SIZE=10")] })
}

pub(crate) fn rcpt(argument: &str) -> Command {
    Command::Rcpt(EnvAddrPayload { args: vec![string(argument)] })
}

pub(crate) fn header(name: &str, value: &str) -> Command {
    Command::Header(HeaderPayload { name: string(name), value: string(value) })
}

pub(crate) fn end() -> Command {
    Command::BodyEnd(bytes::Bytes::new())
}

impl Peer {
    pub(crate) async fn greet(&mut self, client: &str) {
        self.mta.define(MacroStage::Connect, &[("j", "mx.example")]).await.unwrap();
        self.mta.send(connect(client)).await.unwrap();
        self.mta.send(helo()).await.unwrap();
    }

    pub(crate) async fn begin(&mut self) {
        self.mta.define(MacroStage::Mail, &[("i", "Q1")]).await.unwrap();
        self.mta.send(mail("<sender@elsewhere.example>")).await.unwrap();
    }

    /// RCPT with the macro that Postfix would send: the answer as one line.
    pub(crate) async fn rcpt(&mut self, address: &str) -> String {
        self.mta.define(MacroStage::Rcpt, &[("{rcpt_addr}", address)]).await.unwrap();
        shown(&self.mta.send(rcpt(&format!("<{address}>"))).await.unwrap())
    }

    /// DATA, headers, end: all answers to the end of the message.
    pub(crate) async fn content(&mut self, headers: &[(&str, &str)]) -> Vec<String> {
        self.mta.send(Command::Data).await.unwrap();
        for (name, value) in headers {
            self.mta.send(header(name, value)).await.unwrap();
        }
        self.mta.send(Command::Eoh).await.unwrap();
        self.mta.send(Command::BodyChunk(bytes::Bytes::from_static(b"body"))).await.unwrap();
        self.mta.define(MacroStage::Eom, &[("i", "Q1")]).await.unwrap();
        shown_all(&self.mta.send(end()).await.unwrap())
    }

    /// One whole message: the answers to its recipients, then to its end.
    pub(crate) async fn message(
        &mut self,
        rcpts: &[&str],
        headers: &[(&str, &str)],
    ) -> (Vec<String>, Vec<String>) {
        self.begin().await;
        let mut answers = Vec::new();
        for rcpt in rcpts {
            answers.push(self.rcpt(rcpt).await);
        }
        let end =
            if answers.iter().any(|a| a == "continue") { self.content(headers).await } else { Vec::new() };
        (answers, end)
    }
}

/// An answer as a short line; references are cut off.
pub(crate) fn show(reply: &Reply) -> String {
    let text = |s: &CString| s.to_string_lossy().into_owned();
    match reply {
        Reply::ReplyCode { reply } => {
            let line = text(reply);
            let (head, reference) = line.rsplit_once(" (ref ").expect("every refusal has a reference");
            assert_eq!(reference.len(), 13, "{line}");
            head.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ")
        }
        Reply::AddHeader { name, value } => format!("add {}: {}", text(name), text(value)),
        Reply::ChangeHeader { name, index, value } => {
            assert!(value.is_empty());
            format!("remove {} {index}", text(name))
        }
        Reply::AddRcpt { rcpt } => format!("add recipient {}", text(rcpt)),
        Reply::DeleteRcpt { rcpt } => format!("delete {}", text(rcpt)),
        Reply::Quarantine { reason } => {
            let reason = text(reason);
            format!("hold {}", reason.split(" (ref ").next().unwrap())
        }
        other => format!("{other:?}").to_lowercase(),
    }
}

pub(crate) fn shown_all(exchange: &Exchange) -> Vec<String> {
    match exchange {
        Exchange::Answered(replies) => replies.iter().map(show).collect(),
        other => vec![format!("{other:?}").to_lowercase()],
    }
}

pub(crate) fn shown(exchange: &Exchange) -> String {
    shown_all(exchange).join(" + ")
}

pub(crate) fn offer(version: u32, actions: u32, options: u32) -> Offer {
    Offer {
        version,
        actions: Actions::from_bits_retain(actions),
        options: ProtoOpts::from_bits_retain(options),
    }
}
