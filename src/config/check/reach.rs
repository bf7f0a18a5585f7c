// SPDX-License-Identifier: GPL-3.0-or-later
//! Which rules, and which parts of them, no mail ever reaches, because a rule before them takes it; and which recipients no
//! rule is for. The file alone tells that of addresses and names of groups; who is in a group only a directory knows.

use super::Check;
use super::listed::{At, Listed, ListedDomains};
use super::references::References;
use super::routes::{Rule, key};
use crate::config::Problem;
use crate::config::placed::Placed;
use crate::config::settings::Unrouted;
use crate::config::wording::{meant, quoted};
use crate::policy::GroupName;
use std::collections::HashMap;
use std::sync::Arc;

/// What `unrouted` says where it names no server.
const REJECT: &str = "reject";
const PASS: &str = "pass";
/// What stands before the name of a server.
const DEFAULT: &str = "default:";
/// Domains and addresses that are named one by one.
const FEW: usize = 3;

/// Where in the list of rules one stands.
type Number = usize;

/// What the rules so far take.
#[derive(Default)]
struct Taken {
    /// All mail of a domain.
    domains: HashMap<At, Number>,
    groups: HashMap<GroupName, Vec<Number>>,
    recipients: HashMap<(Option<String>, String), Vec<Number>>,
}

/// The server that an `unrouted` names.
pub(super) fn default_server(unrouted: &str) -> Option<&str> {
    unrouted.strip_prefix(DEFAULT).filter(|server| !server.is_empty())
}

impl Check<'_> {
    pub(super) fn unrouted<'a>(
        &mut self,
        written: &'a Placed<String>,
        servers: &mut References<'a>,
    ) -> Option<Unrouted> {
        match (written.as_str(), default_server(written)) {
            (REJECT, _) => Some(Unrouted::Reject),
            (PASS, _) => Some(Unrouted::Pass),
            (_, Some(server)) => {
                self.refer(written, server, servers, None);
                Some(Unrouted::Server(Arc::from(server)))
            }
            (word, None) => {
                let help = match meant(word, [REJECT, PASS]) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None if servers.has(word) => format!("write {}", quoted(&format!("{DEFAULT}{word}"))),
                    None => {
                        format!(
                            "write \"{REJECT}\", \"{PASS}\", or \"{DEFAULT}\" and a server: \"{DEFAULT}exchange\""
                        )
                    }
                };
                self.error(written, format!("{} says nowhere to go", quoted(word)), help);
                None
            }
        }
    }

    pub(super) fn reach(&mut self, rules: &[Rule<'_>], domains: &ListedDomains<'_>) {
        // What could not be read of a rule or a domain may be what matters.
        if self.lost.touches(&["route"]) || self.lost.touches(&["domain"]) {
            return;
        }
        let mut taken = Taken::default();
        for (number, rule) in rules.iter().enumerate() {
            if rule.domains.as_ref().is_some_and(Vec::is_empty) || domains.len() == 0 {
                continue;
            }
            let all = rule.covered(domains);
            let left: Vec<At> = all.iter().copied().filter(|at| !taken.domains.contains_key(at)).collect();
            if left.is_empty() {
                self.never(rule, all.iter().filter_map(|at| taken.domains.get(at)).max(), rules);
                continue;
            }
            for (at, written) in rule.domains.iter().flatten() {
                if let Some(first) = taken.domains.get(at)
                    && domains.with_aliases(*at).all(|at| taken.domains.contains_key(&at))
                {
                    self.before(written, "the mail of", written, &rules[*first]);
                }
            }
            self.entries(rule, &left, &taken, rules, domains);
            // One that leads nowhere takes nothing.
            if rule.is_for_everyone() && rule.to.is_some() {
                taken.domains.extend(left.into_iter().map(|at| (at, number)));
            }
            for (group, _) in &rule.groups {
                taken.groups.entry(group.clone()).or_default().push(number);
            }
            for (mailbox, _) in &rule.recipients {
                taken.recipients.entry(key(mailbox)).or_default().push(number);
            }
        }
        self.leftovers(rules, domains, &taken.domains);
    }

    /// A rule without mail.
    fn never(&mut self, rule: &Rule<'_>, first: Option<&Number>, rules: &[Rule<'_>]) {
        let Some(first) = first.map(|first| &rules[*first]) else { return };
        let place = rule.name.map_or_else(|| self.place(rule.table), |name| self.place(name));
        let what =
            format!("no mail ever reaches {}: {} before it is for everyone", rule.called(), first.called());
        let problem = Problem::warning(place, what).help("put it before that rule, or take it out");
        self.problems.push(problem.see("for everyone", self.place(first.table)));
    }

    /// A part of a rule without mail.
    fn before<T>(&mut self, at: &Placed<T>, whose: &str, name: &str, first: &Rule<'_>) {
        let what = format!(
            "{whose} {} never reaches this rule: {} before it takes it",
            quoted(name),
            first.called()
        );
        let problem =
            Problem::warning(self.place(at), what).help("put this rule before that one, or take this out");
        self.problems.push(problem.see("taken here", self.place(first.table)));
    }

    /// Groups and addresses that a rule before this one is for, wherever this one is for them.
    fn entries(
        &mut self,
        rule: &Rule<'_>,
        left: &[At],
        taken: &Taken,
        rules: &[Rule<'_>],
        domains: &ListedDomains<'_>,
    ) {
        for (group, written) in &rule.groups {
            let of_any = GroupName { directory: None, name: Arc::clone(&group.name) };
            let same = taken.groups.get(group).into_iter().chain(taken.groups.get(&of_any)).flatten();
            let first =
                same.map(|number| &rules[*number]).find(|first| left.iter().all(|at| first.covers(*at)));
            if let Some(first) = first {
                self.before(*written, "the mail of the group", &group.name, first);
            }
        }
        let mut unreached = Vec::new();
        for (mailbox, written) in &rule.recipients {
            let answering = mailbox.domain().map(|domain| domains.answering(domain)).unwrap_or_default();
            let own: Vec<At> = answering.into_iter().filter(|at| rule.covers(*at)).collect();
            let same = taken.recipients.get(&key(mailbox)).map_or(&[][..], Vec::as_slice);
            let first_of = |at: &At| {
                let of_all = taken.domains.get(at).copied();
                of_all.or_else(|| same.iter().copied().find(|number| rules[*number].covers(*at)))
            };
            if let Some(first) = own.first().and_then(first_of)
                && own.iter().all(|at| first_of(at).is_some())
            {
                unreached.push((*written, &rules[first]));
            }
        }
        if let [(written, first), ..] = unreached.as_slice()
            && unreached.len() > FEW
        {
            let whose = format!("mail for {} other addresses and", unreached.len() - 1);
            self.before(*written, &whose, written, first);
            return;
        }
        for (written, first) in unreached {
            self.before(written, "mail for", written, first);
        }
    }

    /// What is left for `unrouted`.
    fn leftovers(&mut self, rules: &[Rule<'_>], domains: &ListedDomains<'_>, taken: &HashMap<At, Number>) {
        let mut refused = Vec::new();
        for (at, listed) in domains.iter() {
            let Listed { name, table, alias_of } = listed;
            let has_rule = rules.iter().any(|rule| rule.covers(at));
            match (&table.unrouted, alias_of) {
                (Some(written), None) if !has_rule && written.as_str() == REJECT => {
                    let what =
                        format!("no [[route]] is for {}, so every recipient would be refused", quoted(name));
                    let help = "write a [[route]] for it, or `unrouted = \"default:SERVER\"` or \"pass\"";
                    self.error(written, what, help);
                }
                (Some(written), None) => {
                    if let Some(first) = taken.get(&at).map(|number| &rules[*number])
                        && domains.with_aliases(at).all(|at| taken.contains_key(&at))
                    {
                        let what = format!("no mail is left for this: {} is for everyone", first.called());
                        let problem = Problem::warning(self.place(written), what).help("take it out");
                        self.problems.push(problem.see("for everyone", self.place(first.table)));
                    }
                }
                // Of an alias only where the rules name it and not the domain that it stands for.
                (None, of) if has_rule && !taken.contains_key(&at) => {
                    if of.is_none_or(|of| !rules.iter().any(|rule| rule.covers(of))) {
                        refused.push(*name);
                    }
                }
                (Some(_) | None, Some(_)) | (None, None) => {}
            }
        }
        self.refused(&refused);
    }

    /// Names the domains that refuse whom no rule is for without saying so: each of a few, many together.
    fn refused(&mut self, domains: &[&Placed<String>]) {
        let help = "write `unrouted = \"default:SERVER\"` for their mail, or `unrouted = \"reject\"` if that is meant";
        if let [first, ..] = domains
            && domains.len() > FEW
        {
            let named: Vec<String> = domains[..FEW].iter().map(|domain| quoted(domain)).collect();
            let (all, more) = (domains.len(), domains.len() - FEW);
            let named = named.join(", ");
            let what =
                format!("{all} domains refuse recipients that no [[route]] is for: {named} and {more} more");
            self.note(first, what, help);
            return;
        }
        for domain in domains {
            self.note(
                domain,
                format!("recipients of {} that no [[route]] is for are refused", quoted(domain)),
                help,
            );
        }
    }
}
