// SPDX-License-Identifier: GPL-3.0-or-later
//! What of a running Postfix differs from what a configuration needs, and why that matters: each setting that is needed, and
//! besides them what would undo their work.

use super::super::finding::Findings;
use super::super::finding::Severity::{self, Error, Warning};
use super::super::needs::Needs;
use super::list::{elements, seconds};
use super::running::{Looked, Running};
use super::settings::{PATIENCE, Postfix, Setting, Want};
use super::version::Version;
use crate::config::{Door, Listen};
use crate::mail::DomainPattern;
use std::fs;
use std::path::Path;

/// More authorities than this in a file are everybody's.
const AUTHORITIES: usize = 10;

/// A check on its way.
pub(super) struct Check<'a> {
    pub(super) needs: &'a Needs,
    pub(super) postfix: Postfix<'a>,
    pub(super) running: &'a Running,
    settings: &'a [Setting],
    findings: Findings,
}

/// Holds a running Postfix against the settings that are needed.
pub(super) fn check(
    needs: &Needs,
    postfix: Postfix<'_>,
    running: &Running,
    settings: &[Setting],
) -> Findings {
    let mut check = Check { needs, postfix, running, settings, findings: Findings::default() };
    for setting in settings {
        check.setting(setting);
    }
    check.listeners();
    check.time_outs();
    check.steering();
    check.local_mail();
    check.domains();
    check.recipients();
    check.next_hops();
    check.certificates();
    check.findings
}

impl Check<'_> {
    pub(super) fn found(
        &mut self,
        severity: Severity,
        place: impl Into<String>,
        there: impl Into<String>,
        why: impl Into<String>,
        write: impl Into<String>,
    ) {
        self.findings.add(severity, place, there, why, write);
    }

    /// The line that is needed.
    pub(super) fn wanted(&self, name: &str) -> Option<String> {
        self.settings.iter().find(|setting| setting.name == name).map(Setting::line)
    }

    /// A setting that can be told by itself whether it is right.
    fn setting(&mut self, setting: &Setting) {
        let there = self.running.value(setting.name);
        let (severity, otherwise) = match &setting.want {
            Want::Judged => return,
            Want::Is { .. } if setting.value.iter().any(|value| value == there) => return,
            Want::OneOf { good, .. } if good.contains(&there) => return,
            Want::Something { .. } if !there.is_empty() => return,
            Want::Is { otherwise } | Want::OneOf { otherwise, .. } | Want::Something { otherwise } => {
                (Error, *otherwise)
            }
            Want::Table { table, otherwise } => match self.place_of(table, there) {
                Some(0) => return,
                Some(_) => (Warning, "the tables in front of it decide about what they know"),
                None => (Error, *otherwise),
            },
        };
        self.found(severity, main(setting.name), there, otherwise, setting.line());
    }

    fn time_outs(&mut self) {
        if self.needs.milter.is_none() {
            return;
        }
        for name in ["milter_connect_timeout", "milter_command_timeout", "milter_content_timeout"] {
            let there = self.running.value(name);
            if seconds(there).is_some_and(|time| time < PATIENCE) {
                let why = "it is shorter than Postern takes for what it has to look up (5 s at most): such mail waits";
                self.found(Warning, main(name), there, why, format!("{name} = 30s"));
            }
        }
    }

    fn steering(&mut self) {
        let Some(wanted) = self.wanted("milter_header_checks") else { return };
        let there = self.running.value("milter_header_checks");
        let probe = "X-Postern-Via: [192.0.2.1]:25";
        let said = elements(there).into_iter().map(|table| self.running.look_up(table, probe));
        let said = { said }.find(|said| *said != Looked::NotFound);
        let place = main("milter_header_checks");
        match said {
            Some(Looked::Found(action)) if is_steering(&action) => {}
            Some(Looked::Found(action)) => {
                let why = "X-Postern-Via steers nothing: mail is delivered without having been scanned";
                self.found(Error, place, format!("{there}: {action}"), why, wanted);
            }
            Some(Looked::Unknown) => {
                self.found(Error, place, there, "the table cannot be read, and mail waits", wanted);
            }
            Some(Looked::NotFound) | None => {
                let why = "nothing steers mail to the scanner: it is delivered without having been scanned";
                self.found(Error, place, there, why, wanted);
            }
        }
        let filter = self.running.value("content_filter");
        if !filter.is_empty() {
            let why =
                "a message has one filter: mail that is steered to the scanner does not come to this one";
            self.found(Warning, main("content_filter"), filter, why, "content_filter =");
        }
    }

    fn local_mail(&mut self) {
        let there = self.running.value("non_smtpd_milters");
        let Some(door) = self.needs.milter.as_ref().filter(|_| !self.needs.loopback_is_internal) else {
            return;
        };
        let queue = self.running.queue();
        let asked = elements(there)
            .into_iter()
            .any(|element| member_of(&self.postfix, door, super::list::Member::of(element).name, &queue));
        if asked {
            let why = "mail from sendmail(1) and cron comes from 127.0.0.1 then, which is a stranger: its mail for listed domains \
                       is refused";
            let write = "non_smtpd_milters =\nor networks = [\"127.0.0.1\"] in [internal] of postern.toml";
            self.found(Warning, main("non_smtpd_milters"), there, why, write);
        }
    }

    /// Whether Postfix takes mail for every domain that is listed.
    fn domains(&mut self) {
        let Some(wanted) = self.wanted("relay_domains") else { return };
        let lists = ["relay_domains", "mydestination", "virtual_mailbox_domains", "virtual_alias_domains"];
        for domain in self.needs.domains.iter().filter(|domain| domain.active) {
            let (name, probe) = match &domain.pattern {
                DomainPattern::Exact(domain) => (domain.to_string(), domain.to_string()),
                DomainPattern::Below(domain) => (format!("*.{domain}"), format!("postern.{domain}")),
            };
            let mut known = lists.map(|list| self.is_in(list, &probe));
            known.sort_by_key(Option::is_none);
            if known.contains(&Some(true)) || known.contains(&None) {
                continue;
            }
            let why = format!("Postfix takes no mail for {name}: every recipient is refused as relaying");
            self.found(
                Error,
                main("relay_domains"),
                self.running.value("relay_domains"),
                why,
                wanted.clone(),
            );
        }
    }

    /// Whether a domain is in a list; nothing where a table cannot be asked.
    fn is_in(&self, list: &str, domain: &str) -> Option<bool> {
        let parents = elements(self.running.value("parent_domain_matches_subdomains")).contains(&list);
        let mut unknown = false;
        for element in elements(self.running.value(list)) {
            let (negated, element) = element.strip_prefix('!').map_or((false, element), |rest| (true, rest));
            let matched = if element.starts_with('/') {
                let Ok(text) = fs::read_to_string(element) else {
                    unknown = true;
                    continue;
                };
                text.lines().flat_map(elements).any(|name| is_name(name, domain, parents))
            } else if self.is_table("domain", element) {
                true
            } else if element.contains(':') {
                match self.running.look_up(element, domain) {
                    Looked::Found(_) => true,
                    Looked::NotFound => false,
                    Looked::Unknown => {
                        unknown = true;
                        continue;
                    }
                }
            } else {
                is_name(element, domain, parents)
            };
            if matched {
                return Some(!negated);
            }
        }
        (!unknown).then_some(false)
    }

    fn recipients(&mut self) {
        let name = "relay_recipient_maps";
        let there = self.running.value(name);
        if there.is_empty() || self.wanted(name).is_some() {
            return;
        }
        if self.place_of("recipient", there).is_none() {
            let why = "a recipient must be in these tables and in Postern's directories: who is in one of them only is refused";
            self.found(Warning, main(name), there, why, format!("{name} ="));
        } else if self.needs.milter.is_some() && self.needs.policyd.is_none() {
            let why = "Postfix refuses unknown recipients before the milter is asked, so that strangers, whom Postern answers \
                       all alike, find out who exists";
            self.found(Warning, main(name), there, why, format!("{name} ="));
        }
    }

    fn next_hops(&mut self) {
        if self.needs.routes && self.needs.socketmap.is_none() {
            let why = "[[route]] has no effect: Postfix can look nothing up";
            self.found(
                Error,
                "postern.toml: [socketmap]",
                "",
                why,
                "[socketmap]\nlisten = [\"inet:127.0.0.1:8892\"]",
            );
        }
        let several = self.needs.servers.iter().find(|server| server.hosts.len() > 1);
        if let (Some(server), true) = (several, self.postfix.version < Version::NEXT_HOPS) {
            let there = format!("Postfix {}", self.postfix.version);
            let why = format!(
                "`{}` has several hosts, which Postfix knows from 3.5 on: its mail stays in the queue",
                server.name
            );
            self.found(Error, "mail_version", there, why, "one host, or a name with several MX or addresses");
        }
    }

    fn certificates(&mut self) {
        let running = self.running;
        if let Some(wanted) = self.wanted("smtpd_tls_ask_ccert") {
            let required = running.value("smtpd_tls_req_ccert") == "yes";
            let there = running.value("smtpd_tls_ask_ccert");
            if there != "yes" && !required {
                let why =
                    "no client is asked for its certificate, so gateways that must show one are not known";
                self.found(Error, main("smtpd_tls_ask_ccert"), there, why, wanted);
            }
        }
        if !self.needs.certificates {
            return;
        }
        let (file, path) = (running.value("smtpd_tls_CAfile"), running.value("smtpd_tls_CApath"));
        let write = "smtpd_tls_CAfile = a file with the authority that your gateway's certificate is from";
        if file.is_empty() && path.is_empty() {
            let why = "no client's certificate is trusted, and Postfix tells the names of trusted ones only";
            self.found(Error, main("smtpd_tls_CAfile"), "", why, write);
        } else if let Ok(text) = fs::read_to_string(file) {
            let count = text.matches("-----BEGIN CERTIFICATE-----").count();
            if count > AUTHORITIES {
                let why =
                    "any of them can vouch for the name of your gateway, and for that of whoever pays for it";
                self.found(
                    Warning,
                    main("smtpd_tls_CAfile"),
                    format!("{file}, with {count} authorities"),
                    why,
                    write,
                );
            }
        }
    }

    /// Whether any table of ours is looked up.
    pub(super) fn uses_tables(&self) -> bool {
        let names = ["relay_domains", "relay_recipient_maps", "transport_maps", "smtp_tls_policy_maps"];
        let tables = ["domain", "recipient", "transport", "tls"];
        names.iter().zip(tables).any(|(name, table)| self.place_of(table, self.running.value(name)).is_some())
    }

    /// Which of a list our table is.
    fn place_of(&self, table: &str, list: &str) -> Option<usize> {
        elements(list).iter().position(|element| self.is_table(table, element))
    }

    fn is_table(&self, table: &str, element: &str) -> bool {
        let element = element.strip_prefix("proxy:").unwrap_or(element);
        let door = self.needs.socketmap.as_ref();
        door.is_some_and(|door| {
            door.listen.iter().filter_map(|listen| Postfix::table(listen, table)).any(|ours| ours == element)
        }) || door.is_some_and(|door| {
            // Only the unit knows where systemd listens.
            let foreign = |listen: &Listen| matches!(listen, Listen::Systemd(_));
            door.listen.iter().any(foreign)
                && element.strip_prefix("socketmap:").is_some_and(|rest| rest.ends_with(&format!(":{table}")))
        })
    }
}

/// Whether a socket in Postfix's configuration is one of a door's.
pub(super) fn member_of(postfix: &Postfix<'_>, door: &Door, socket: &str, queue: &Path) -> bool {
    let absolute = |socket: &str| match socket.strip_prefix("unix:") {
        Some(path) => format!("unix:{}", queue.join(path).display()),
        // The first spelling is the old one, of Postfix before 2.6 and of Sendmail.
        None => socket.replace("inet:localhost:", "inet:127.0.0.1:"),
    };
    let ours = |listen: &Listen| match listen {
        Listen::Systemd(_) => true,
        Listen::Unix(path) => Path::new(absolute(socket).trim_start_matches("unix:")) == path,
        Listen::Tcp(_) => postfix.socket(listen).is_some_and(|ours| ours == absolute(socket)),
    };
    door.listen.iter().any(ours)
}

fn is_steering(action: &str) -> bool {
    action.split_once(' ').is_some_and(|(word, way)| {
        word.eq_ignore_ascii_case("FILTER") && way.trim().ends_with(":[192.0.2.1]:25")
    })
}

fn is_name(element: &str, domain: &str, parents: bool) -> bool {
    let element = element.to_ascii_lowercase();
    let below =
        |parent: &str| domain.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1);
    match element.strip_prefix('.') {
        Some(parent) => !parents && below(parent),
        None => element == domain || (parents && below(&element)),
    }
}

fn main(name: &str) -> String {
    format!("main.cf: {name}")
}
