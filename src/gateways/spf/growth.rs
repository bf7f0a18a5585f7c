// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks DNS for everything that an SPF name refers to: its record, the records it includes or hands over to, and the
//! hosts of its `a` and `mx`.
//!
//! All questions that are known are put at once, and their answers bring the next ones, so that a tree takes as many
//! rounds as it is deep. What comes of it depends on the answers alone, not on their order: every address that nothing
//! matches sees every term, so all of them count against the limits.

use super::record::{self, Record, RecordError};
use super::target::{self, Target};
use super::tree::{Clause, Matches, Node, Otherwise, Tree};
use super::{MAX_HOSTS, MAX_NETWORKS, MAX_TERMS, MAX_VOID};
use crate::dns::{Dns, DnsError, Records};
use crate::gateways::SourceError;
use crate::mail::Network;
use futures_util::future::join_all;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use viaspf::record::{
    Directive, DomainSpec, DualCidrLength, Ip4CidrLength, Ip6CidrLength, Mechanism, Qualifier,
};

/// Where an answer belongs: a clause of a node.
#[derive(Clone, Copy, Debug)]
struct Place {
    node: usize,
    clause: usize,
}

/// A question for the next round.
#[derive(Debug)]
enum Question {
    Record { node: usize, name: String },
    Hosts { place: Place, name: String, lengths: Lengths },
    Exchangers { place: Place, name: String, lengths: Lengths },
    Exists { place: Place, name: String },
}

/// What was told.
enum Told {
    Texts(Records<Vec<u8>>),
    Addresses(Records<Ipv4Addr>, Records<Ipv6Addr>),
    Exchangers(Records<String>),
    Exists(Records<Ipv4Addr>, Records<Ipv6Addr>),
}

/// Prefix lengths for A and AAAA records.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    v4: u8,
    v6: u8,
}

impl From<Option<DualCidrLength>> for Lengths {
    fn from(written: Option<DualCidrLength>) -> Self {
        let v4 = written.and_then(DualCidrLength::ip4).map_or(32, Ip4CidrLength::get);
        let v6 = written.and_then(DualCidrLength::ip6).map_or(128, Ip6CidrLength::get);
        Self { v4, v6 }
    }
}

/// Finds the tree whose root is this name.
pub(super) async fn grow(dns: &impl Dns, root: String) -> Result<Tree, SourceError> {
    let mut growth = Growth {
        tree: Tree { nodes: Vec::new(), ttl: Duration::MAX, validated: true, notes: Vec::new() },
        questions: Vec::new(),
        terms: 0,
        void: 0,
        networks: 0,
    };
    growth.add_record(root.clone(), root, None)?;
    while !growth.questions.is_empty() {
        let questions = mem::take(&mut growth.questions);
        let told = join_all(questions.iter().map(|question| put(dns, question))).await;
        for (question, told) in questions.into_iter().zip(told) {
            growth.take_in(question, told?)?;
        }
    }
    Ok(growth.tree)
}

async fn put(dns: &impl Dns, question: &Question) -> Result<Told, DnsError> {
    Ok(match question {
        Question::Record { name, .. } => Told::Texts(dns.texts(name).await?),
        Question::Exchangers { name, .. } => Told::Exchangers(dns.exchangers(name).await?),
        Question::Hosts { name, .. } => {
            let (v4, v6) = tokio::join!(dns.ipv4(name), dns.ipv6(name));
            Told::Addresses(v4?, v6?)
        }
        Question::Exists { name, .. } => {
            let (v4, v6) = tokio::join!(dns.ipv4(name), dns.ipv6(name));
            Told::Exists(v4?, v6?)
        }
    })
}

struct Growth {
    tree: Tree,
    questions: Vec<Question>,
    terms: usize,
    void: usize,
    networks: usize,
}

impl Growth {
    /// Makes a place for a record and asks for it.
    fn add_record(&mut self, name: String, via: String, parent: Option<usize>) -> Result<usize, SourceError> {
        let mut above = parent;
        while let Some(node) = above.and_then(|at| self.tree.nodes.get(at)) {
            if node.name.eq_ignore_ascii_case(&name) {
                return Err(SourceError::Wrong(format!("{via}: comes back to {}", node.name)));
            }
            above = node.parent;
        }
        let node = self.tree.nodes.len();
        let (clauses, otherwise) = (Vec::new(), Otherwise::Neutral);
        self.tree.nodes.push(Node { name: name.clone(), via, parent, clauses, otherwise });
        self.questions.push(Question::Record { node, name });
        Ok(node)
    }

    fn take_in(&mut self, question: Question, told: Told) -> Result<(), SourceError> {
        match (question, told) {
            (Question::Record { node, .. }, Told::Texts(texts)) => self.take_record(node, &texts),
            (Question::Hosts { place, name, lengths }, Told::Addresses(v4, v6)) => {
                self.count(&v4);
                self.count(&v6);
                if v4.found.is_empty() && v6.found.is_empty() {
                    self.nothing_at(place, &name)?;
                }
                let v4 = v4.found.into_iter().map(|address| (IpAddr::from(address), lengths.v4));
                let v6 = v6.found.into_iter().map(|address| (IpAddr::from(address), lengths.v6));
                v4.chain(v6).try_for_each(|(address, length)| self.add_network(place, address, length))
            }
            (Question::Exchangers { place, name, lengths }, Told::Exchangers(hosts)) => {
                self.count(&hosts);
                if hosts.found.is_empty() {
                    self.nothing_at(place, &name)?;
                }
                if hosts.found.len() > MAX_HOSTS {
                    let why = format!("{name} has {} MX hosts, more than {MAX_HOSTS}", hosts.found.len());
                    return Err(self.wrong(place, &why));
                }
                // The null MX (RFC 7505) names nobody.
                for name in hosts.found.into_iter().filter(|host| !host.is_empty()) {
                    self.questions.push(Question::Hosts { place, name, lengths });
                }
                Ok(())
            }
            (Question::Exists { place, name }, Told::Exists(v4, v6)) => {
                self.count(&v4);
                self.count(&v6);
                // Whatever the client is, it is an A record that counts (RFC 7208 5.7).
                if !v4.found.is_empty() {
                    self.set(place, Matches::Everyone);
                } else if v6.found.is_empty() {
                    self.nothing_at(place, &name)?;
                }
                Ok(())
            }
            // Each question is told what it asks.
            (
                Question::Record { .. }
                | Question::Hosts { .. }
                | Question::Exchangers { .. }
                | Question::Exists { .. },
                _,
            ) => Ok(()),
        }
    }

    fn take_record(&mut self, at: usize, texts: &Records<Vec<u8>>) -> Result<(), SourceError> {
        self.count(texts);
        let Some(node) = self.tree.nodes.get(at) else { return Ok(()) };
        let (name, via) = (node.name.clone(), node.via.clone());
        let Record { directives, redirect } = record::read(&texts.found).map_err(|error| {
            let is_gone = error == RecordError::Missing && !texts.exists;
            let what = if is_gone { "does not exist".to_owned() } else { error.to_string() };
            SourceError::Wrong(if at == 0 {
                format!("{name} {what}")
            } else {
                format!("{via}: {name} {what}")
            })
        })?;
        for directive in &directives {
            self.take_directive(at, &name, &via, directive)?;
        }
        if let Some(spec) = redirect {
            let otherwise = self.take_redirect(at, &name, &via, &spec)?;
            if let Some(node) = self.tree.nodes.get_mut(at) {
                node.otherwise = otherwise;
            }
        }
        Ok(())
    }

    /// Adds a clause and asks what it needs.
    fn take_directive(
        &mut self,
        at: usize,
        domain: &str,
        via: &str,
        directive: &Directive,
    ) -> Result<(), SourceError> {
        let text = directive.to_string();
        let passes = directive.qualifier.unwrap_or_default() == Qualifier::Pass;
        let place = Place { node: at, clause: self.tree.nodes.get(at).map_or(0, |node| node.clauses.len()) };
        if let Some(node) = self.tree.nodes.get_mut(at) {
            node.clauses.push(Clause { text: text.clone(), passes, matches: Matches::NoOne });
        }
        match &directive.mechanism {
            Mechanism::All => self.set(place, Matches::Everyone),
            Mechanism::Ip4(ip4) => {
                let length = ip4.prefix_len.map_or(32, Ip4CidrLength::get);
                self.add_network(place, ip4.addr.into(), length)?;
            }
            Mechanism::Ip6(ip6) => {
                let length = ip6.prefix_len.map_or(128, Ip6CidrLength::get);
                self.add_network(place, ip6.addr.into(), length)?;
            }
            Mechanism::Include(include) => {
                if let Some(name) = self.target(place, via, Some(&include.domain_spec), domain)? {
                    let node = self.add_record(name, format!("{via} > {text}"), Some(at))?;
                    self.set(place, Matches::Record(node));
                }
            }
            Mechanism::A(a) => {
                if let Some(name) = self.target(place, via, a.domain_spec.as_ref(), domain)? {
                    let lengths = a.prefix_len.into();
                    self.questions.push(Question::Hosts { place, name, lengths });
                }
            }
            Mechanism::Mx(mx) => {
                if let Some(name) = self.target(place, via, mx.domain_spec.as_ref(), domain)? {
                    let lengths = mx.prefix_len.into();
                    self.questions.push(Question::Exchangers { place, name, lengths });
                }
            }
            Mechanism::Exists(exists) => {
                if let Some(name) = self.target(place, via, Some(&exists.domain_spec), domain)? {
                    self.questions.push(Question::Exists { place, name });
                }
            }
            Mechanism::Ptr(_) => {
                self.count_term(via)?;
                self.note(format!(
                    "{via} > {text} is passed over: reverse names prove nothing (RFC 7208 5.5)"
                ));
            }
        }
        Ok(())
    }

    fn take_redirect(
        &mut self,
        at: usize,
        domain: &str,
        via: &str,
        spec: &DomainSpec,
    ) -> Result<Otherwise, SourceError> {
        self.count_term(via)?;
        let way = format!("{via} > redirect={spec}");
        match target::expand(spec, Some(domain)) {
            Target::Name(name) => Ok(Otherwise::Record(self.add_record(name, way, Some(at))?)),
            Target::PerClient => {
                self.note(format!("{way} is another name for each client, and is asked live"));
                Ok(Otherwise::PerClient)
            }
            Target::Malformed(name) => {
                Err(SourceError::Wrong(format!("{way}: {name} is no name that DNS could have")))
            }
            Target::Forbidden => Err(forbidden(&way)),
        }
    }

    /// The name that a clause is about; nothing when it is settled without one.
    fn target(
        &mut self,
        place: Place,
        via: &str,
        spec: Option<&DomainSpec>,
        domain: &str,
    ) -> Result<Option<String>, SourceError> {
        self.count_term(via)?;
        let Some(spec) = spec else { return Ok(Some(domain.to_owned())) };
        let way = self.way(place);
        Ok(match target::expand(spec, Some(domain)) {
            Target::Name(name) => Some(name),
            Target::PerClient => {
                self.note(format!("{way} cannot be enumerated, and is asked live"));
                self.set(place, Matches::PerClient);
                None
            }
            Target::Malformed(name) => {
                self.note(format!("{way} never matches: {name} is no name that DNS could have"));
                None
            }
            Target::Forbidden => return Err(forbidden(&way)),
        })
    }

    fn count_term(&mut self, via: &str) -> Result<(), SourceError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            let why = format!("{via}: more than {MAX_TERMS} terms ask DNS (RFC 7208 4.6.4)");
            return Err(SourceError::Wrong(why));
        }
        Ok(())
    }

    /// Counts an answer towards what holds for all of them.
    fn count<T>(&mut self, records: &Records<T>) {
        self.tree.ttl = self.tree.ttl.min(records.ttl);
        self.tree.validated &= records.validated;
    }

    /// A look-up of a clause found nothing.
    fn nothing_at(&mut self, place: Place, name: &str) -> Result<(), SourceError> {
        self.void += 1;
        self.note(format!("{} finds nothing at {name}", self.way(place)));
        if self.void > MAX_VOID {
            let why = format!("more than {MAX_VOID} look-ups find nothing (RFC 7208 4.6.4)");
            return Err(self.wrong(place, &why));
        }
        Ok(())
    }

    fn add_network(&mut self, place: Place, address: IpAddr, length: u8) -> Result<(), SourceError> {
        self.networks += 1;
        if self.networks > MAX_NETWORKS {
            return Err(self.wrong(place, &format!("more than {MAX_NETWORKS} networks")));
        }
        let found = self.tree.nodes.get_mut(place.node).and_then(|node| node.clauses.get_mut(place.clause));
        if let (Some(clause), Some(network)) = (found, Network::around(address, length)) {
            match &mut clause.matches {
                Matches::Networks(networks) => networks.push(network),
                Matches::NoOne | Matches::Everyone | Matches::Record(_) | Matches::PerClient => {
                    clause.matches = Matches::Networks(vec![network]);
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, place: Place, matches: Matches) {
        let found = self.tree.nodes.get_mut(place.node).and_then(|node| node.clauses.get_mut(place.clause));
        if let Some(clause) = found {
            clause.matches = matches;
        }
    }

    /// The way to a clause, for an administrator.
    fn way(&self, place: Place) -> String {
        let Some(node) = self.tree.nodes.get(place.node) else { return String::new() };
        match node.clauses.get(place.clause) {
            Some(clause) => format!("{} > {}", node.via, clause.text),
            None => node.via.clone(),
        }
    }

    fn wrong(&self, place: Place, why: &str) -> SourceError {
        SourceError::Wrong(format!("{}: {why}", self.way(place)))
    }

    fn note(&mut self, note: String) {
        self.tree.notes.push(note);
    }
}

fn forbidden(way: &str) -> SourceError {
    SourceError::Wrong(format!("{way}: the macros c, r and t are for explanations only (RFC 7208 7.2)"))
}
