// SPDX-License-Identifier: GPL-3.0-or-later
//! Where strangers come in: the services of master.cf that speak SMTP, each held against what it must ask.

use super::super::finding::Severity::{Error, Warning};
use super::check::{Check, member_of};
use super::list::{Member, elements, seconds};
use super::running::Service;
use super::settings::PATIENCE;
use crate::config::Door;
use std::net::IpAddr;

/// Restrictions that let clients in for what they are, so that nobody is asked about them after.
const PERMITS: [&str; 10] = [
    "permit",
    "permit_mynetworks",
    "permit_auth_destination",
    "permit_mx_backup",
    "permit_inet_interfaces",
    "permit_naked_ip_address",
    "permit_tls_all_clientcerts",
    "permit_tls_clientcerts",
    "permit_dnswl_client",
    "permit_rhswl_client",
];
/// What refuses mail for domains that are not ours.
const RELAY_CONTROL: [&str; 4] = ["reject_unauth_destination", "defer_unauth_destination", "reject", "defer"];

impl Check<'_> {
    /// Every service that strangers can reach.
    pub(super) fn listeners(&mut self) {
        let running = self.running;
        for service in running.services.iter().filter(|service| is_smtpd(service)) {
            if self.is_for_logged_in(service) || is_loopback(service) {
                continue;
            }
            if let Some(door) = &self.needs.milter {
                self.asks_milter(service, door);
            }
            if let Some(door) = &self.needs.policyd {
                self.asks_policy(service, door);
            }
        }
        self.crowd();
    }

    fn asks_milter(&mut self, service: &Service, door: &Door) {
        let Some(wanted) = self.wanted("smtpd_milters") else { return };
        let milters = self.running.of(service, "smtpd_milters");
        let place = place(service, "smtpd_milters");
        let there = milters.to_owned();
        let all = elements(milters);
        let found =
            all.iter().map(|element| Member::of(element)).find(|member| self.is_ours(door, member.name));
        let Some(member) = found else {
            let why = "whoever comes in here is asked about by nobody: it is a way around the gateway";
            let write = if self.running.value("smtpd_milters") == milters {
                wanted
            } else {
                format!("take `-o smtpd_milters={milters}` off this service in master.cf")
            };
            self.found(Error, place, there, why, write);
            return;
        };
        if let Some(action @ ("accept" | "quarantine" | "reject")) = member.setting("default_action") {
            let why = if action == "accept" {
                "this milter's own default_action lets everybody in while Postern is down"
            } else {
                "this milter's own default_action bounces or holds good mail while Postern is down"
            };
            self.found(Error, place.clone(), there.clone(), why, wanted.clone());
        }
        for name in ["connect_timeout", "command_timeout", "content_timeout"] {
            if member.setting(name).and_then(seconds).is_some_and(|time| time < PATIENCE) {
                let why = format!(
                    "{name} is shorter than Postern's own deadline of 5 s for what it has to look up"
                );
                self.found(
                    Warning,
                    place.clone(),
                    there.clone(),
                    why,
                    format!("{name} of {PATIENCE}s or more"),
                );
            }
        }
        if elements(self.running.of(service, "receive_override_options")).contains(&"no_milters") {
            let place = super::listeners::place(service, "receive_override_options");
            let there = self.running.of(service, "receive_override_options").to_owned();
            self.found(Error, place, there, "no milter is asked here", "leave no_milters out");
        }
        self.reachable(service, member.name);
    }

    fn asks_policy(&mut self, service: &Service, door: &Door) {
        let Some(wanted) = self.wanted("smtpd_recipient_restrictions") else { return };
        let list = self.running.of(service, "smtpd_recipient_restrictions");
        let place = place(service, "smtpd_recipient_restrictions");
        let steps = elements(list);
        let ours = steps.windows(2).position(|pair| {
            pair[0] == "check_policy_service" && self.is_ours(door, Member::of(pair[1]).name)
        });
        let Some(at) = ours else {
            let too_early =
                ["smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions"]
                    .into_iter()
                    .find(|name| self.running.of(service, name).contains("check_policy_service"));
            let why = match too_early {
                Some(name) if self.running.of(service, "smtpd_delay_reject") == "no" => {
                    format!(
                        "in {name} and without smtpd_delay_reject Postern is asked before there is a recipient"
                    )
                }
                Some(_) | None => "Postern is not asked about recipients here".to_owned(),
            };
            let there = list.to_owned();
            self.found(Error, place, there, why, wanted);
            return;
        };
        let member = Member::of(steps[at + 1]);
        let action = member
            .setting("default_action")
            .unwrap_or_else(|| self.running.of(service, "smtpd_policy_service_default_action"));
        if let Some(word @ ("dunno" | "ok" | "permit")) =
            action.split_whitespace().next().map(str::to_ascii_lowercase).as_deref()
        {
            let why = format!("{word} lets everybody in while Postern is down");
            let write = "default_action = 451 4.3.5 Mail cannot be checked now";
            self.found(Error, place.clone(), format!("default_action = {action}"), why, write);
        }
        let patience = member
            .setting("timeout")
            .unwrap_or_else(|| self.running.of(service, "smtpd_policy_service_timeout"));
        if seconds(patience).is_some_and(|time| time < PATIENCE) {
            let why = "Postern's own deadline for what it has to look up is 5 s";
            self.found(
                Warning,
                place.clone(),
                format!("timeout={patience}"),
                why,
                format!("timeout={PATIENCE}s"),
            );
        }
        self.before_policy(service, &steps[..at], &place, list, &wanted);
        self.asks_at_data(service, door);
        self.reachable(service, member.name);
    }

    /// What is to be discarded can be told at DATA only.
    fn asks_at_data(&mut self, service: &Service, door: &Door) {
        let Some(wanted) = self.wanted("smtpd_data_restrictions") else { return };
        let list = self.running.of(service, "smtpd_data_restrictions");
        if !elements(list).iter().any(|step| self.is_ours(door, Member::of(step).name)) {
            let why = "nothing can be discarded: Postern is not asked when all recipients are known, and defers such mail";
            self.found(Warning, place(service, "smtpd_data_restrictions"), list, why, wanted);
        }
    }

    /// What is decided before Postern is asked.
    fn before_policy(&mut self, service: &Service, before: &[&str], place: &str, list: &str, wanted: &str) {
        let running = self.running;
        if let Some(permit) = before.iter().find(|step| PERMITS.contains(step)) {
            let (severity, why) = if *permit == "permit" {
                (Error, "everybody is let in before Postern is asked".to_owned())
            } else {
                (Warning, format!("whom {permit} lets in, Postern is never asked about"))
            };
            self.found(severity, place, list, why, wanted);
        }
        let networks = elements(running.value("mynetworks"));
        let broad = networks.into_iter().find(|network| is_broad(network));
        if let (Some(network), true) = (broad, before.contains(&"permit_mynetworks")) {
            let why = "permit_mynetworks lets in all of it, past Postern and to anywhere";
            self.found(Error, "main.cf: mynetworks", network, why, "your own networks only");
        }
        let relays = elements(running.of(service, "smtpd_relay_restrictions"));
        let relay_first =
            running.get("smtpd_relay_before_recipient_restrictions").is_none_or(|value| value == "yes");
        let controls = |steps: &[&str]| steps.iter().any(|step| RELAY_CONTROL.contains(step));
        if !(controls(before) || relay_first && controls(&relays)) {
            let why = "Postern is asked about mail for domains that Postfix will not take, and its log is full of that";
            let write = self.wanted("smtpd_relay_restrictions").unwrap_or_default();
            self.found(
                Warning,
                place,
                list,
                why,
                format!("{write}\nsmtpd_relay_before_recipient_restrictions = yes"),
            );
        }
    }

    /// Whether a socket is found from a chroot.
    fn reachable(&mut self, service: &Service, socket: &str) {
        if socket.starts_with("unix:/") && self.running.in_chroot(service) {
            let why = "this service runs in a chroot (column 5), where there is no such path: nobody answers, and mail waits";
            let write = format!("n in column 5, or a path below {}", self.running.queue().display());
            self.found(Error, place(service, "chroot"), socket, why, write);
        }
    }

    /// Whether all who may ask at one time are served.
    fn crowd(&mut self) {
        let running = self.running;
        let smtpd = || running.services.iter().filter(|service| is_smtpd(service));
        let most = |services: &mut dyn Iterator<Item = &Service>| -> Option<usize> {
            services.map(|service| running.processes(service)).sum()
        };
        let others = ["trivial-rewrite", "smtp", "proxymap", "postscreen"];
        let lookers = || {
            running.services.iter().filter(|service| is_smtpd(service) || others.contains(&&*service.program))
        };
        let needs = self.needs;
        for (door, name, asking) in [
            (&needs.milter, "milter", most(&mut smtpd())),
            (&needs.policyd, "policyd", most(&mut smtpd())),
            (&needs.socketmap, "socketmap", if self.uses_tables() { most(&mut lookers()) } else { Some(0) }),
        ] {
            let Some(door) = door else { continue };
            let limit = door.max_connections;
            let there = match asking {
                Some(asking) if asking <= limit => continue,
                Some(asking) => format!("{asking} processes that may ask at one time"),
                None => "any number of processes that may ask at one time".to_owned(),
            };
            let why = format!(
                "[{name}] max_connections is {limit}: when it is reached, the others find the door closed, and their mail waits"
            );
            let write = match asking {
                Some(asking) => {
                    format!("max_connections = {asking} in postern.toml, or fewer processes (column 7)")
                }
                None => "a limit of processes (column 7), not more than max_connections".to_owned(),
            };
            self.found(Warning, "master.cf: processes", there, why, write);
        }
    }

    /// Clients have to log in there: Postern lets those pass anyway.
    fn is_for_logged_in(&self, service: &Service) -> bool {
        ["smtpd_client_restrictions", "smtpd_relay_restrictions", "smtpd_recipient_restrictions"]
            .into_iter()
            .any(|name| {
                let steps = elements(self.running.of(service, name));
                let mut steps = steps.iter().skip_while(|step| **step != "permit_sasl_authenticated");
                steps.next().is_some() && steps.next() == Some(&"reject")
            })
    }

    fn is_ours(&self, door: &Door, socket: &str) -> bool {
        member_of(&self.postfix, door, socket, &self.running.queue())
    }
}

/// A listener, or what postscreen passes its clients on to.
fn is_smtpd(service: &Service) -> bool {
    service.program == "smtpd" && (service.kind == "inet" || service.kind == "pass")
}

/// Only this machine reaches it: what comes back from a filter that is asked after the queue.
fn is_loopback(service: &Service) -> bool {
    let host = service.name.rsplit_once(':').map_or("", |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A network with public addresses that nobody owns alone.
fn is_broad(network: &str) -> bool {
    let Some((address, length)) = network.split_once('/') else { return false };
    let Ok(length) = length.parse::<u8>() else { return false };
    match address.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            length < 8 || (length == 8 && !address.is_private() && !address.is_loopback())
        }
        Ok(IpAddr::V6(_)) => length < 16,
        Err(_) => false,
    }
}

fn place(service: &Service, what: &str) -> String {
    format!("master.cf: {}/{}, {what}", service.name, service.kind)
}
