// SPDX-License-Identifier: GPL-3.0-or-later
//! What of a sendmail.cf differs from what a configuration needs, and why that matters.

use super::super::finding::Findings;
use super::super::finding::Severity::{Error, Warning};
use super::super::needs::{Needs, at_hand, reached};
use super::file::{Cf, Fields};
use super::lines::PATIENCE;
use super::rules::{Topic, groups, socket};
use crate::mail::DomainPattern;
use std::fs;
use std::net::IpAddr;

/// Postern's own deadline for an answer is 5 s.
const SHORTEST: u64 = 10;
/// More authorities than this in a file are everybody's.
const AUTHORITIES: usize = 10;

/// Holds a sendmail.cf against what is needed.
pub(super) fn check(needs: &Needs, cf: &Cf) -> Findings {
    let mut findings = Findings::default();
    if let Some(name) = milter(needs, cf, &mut findings) {
        listeners(&name, cf, &mut findings);
    }
    domains(needs, cf, &mut findings);
    rules(needs, cf, &mut findings);
    certificates(needs, cf, &mut findings);
    findings
}

/// The milter's line; gives the name that Sendmail calls it by.
fn milter(needs: &Needs, cf: &Cf, findings: &mut Findings) -> Option<String> {
    let door = needs.milter.as_ref()?;
    let wanted = || {
        let socket =
            reached(door).as_ref().and_then(socket).unwrap_or_else(|| "what systemd listens on".to_owned());
        format!("INPUT_MAIL_FILTER(`postern', `S={socket}, F=T, T={PATIENCE}')dnl")
    };
    let sockets: Vec<String> = door.listen.iter().filter_map(at_hand).filter_map(|at| socket(&at)).collect();
    let is_ours = |fields: &Fields<'_>| {
        let at = fields.get("S").unwrap_or_default();
        let at = at.strip_prefix("local:").map_or_else(|| at.to_owned(), |path| format!("unix:{path}"));
        sockets.contains(&at.replace("@localhost", "@127.0.0.1"))
            || (sockets.is_empty() && fields.first() == "postern")
    };
    let Some(fields) = cf.after("X").map(Fields::of).find(is_ours) else {
        findings.add(Error, "sendmail.cf: Xpostern", "", "nobody is asked about any message", wanted());
        return None;
    };
    let name = fields.first();
    let place = format!("sendmail.cf: X{name}");
    match fields.get("F") {
        Some("T" | "4") => {}
        Some(flag @ "R") => {
            let why = "good mail bounces while Postern is down";
            findings.add(Error, place.clone(), format!("F={flag}"), why, wanted());
        }
        other => {
            let there = other.map_or_else(|| "no F=".to_owned(), |flag| format!("F={flag}"));
            findings.add(Error, place.clone(), there, "everybody is let in while Postern is down", wanted());
        }
    }
    let times = fields.get("T").unwrap_or_default();
    let short = times.split(';').find(|time| {
        let (which, time) = time.split_once(':').unwrap_or_default();
        matches!(which.trim(), "R" | "E") && seconds(time).is_some_and(|time| time < SHORTEST)
    });
    if let Some(short) = short {
        let why =
            "it is shorter than Postern takes for what it has to look up (5 s at most): such mail waits";
        findings.add(Warning, place, format!("T={short}"), why, wanted());
    }
    Some(name.to_owned())
}

/// Which listeners ask it.
fn listeners(name: &str, cf: &Cf, findings: &mut Findings) {
    let names = |list: &str| list.split([',', ';', ' ']).any(|one| one == name);
    let all = cf.option("InputMailFilters").unwrap_or_default();
    let mut by_default = false;
    for daemon in cf.options("DaemonPortOptions") {
        let fields = Fields::of(daemon);
        // Clients have to log in there, and those pass anyway; or only this machine can come.
        let modes = fields.get("Modifiers").or_else(|| fields.get("M")).unwrap_or_default();
        let address = fields
            .get("Address")
            .or_else(|| fields.get("Addr"))
            .or_else(|| fields.get("A"))
            .unwrap_or_default();
        if modes.contains('a') || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
            continue;
        }
        let own = fields.get("InputMailFilters").or_else(|| fields.get("I"));
        by_default |= own.is_none();
        if let Some(own) = own.filter(|own| !names(own)) {
            let service = fields.get("Name").or_else(|| fields.get("N")).unwrap_or("MTA");
            let why = "whoever comes in here is asked about by nobody: it is a way around the gateway";
            let write = format!("InputMailFilters={name}, or leave it out");
            findings.add(
                Error,
                format!("sendmail.cf: DaemonPortOptions {service}"),
                format!("InputMailFilters={own}"),
                why,
                write,
            );
        }
    }
    let none = cf.options("DaemonPortOptions").is_empty();
    if (by_default || none) && !names(all) {
        let why = "the milter is defined, and no message is shown to it";
        findings.add(
            Error,
            "sendmail.cf: O InputMailFilters",
            all,
            why,
            "INPUT_MAIL_FILTER instead of MAIL_FILTER",
        );
    }
}

/// Whether Sendmail takes mail for every domain that is listed.
fn domains(needs: &Needs, cf: &Cf, findings: &mut Findings) {
    let mut known: Vec<String> = Vec::new();
    for class in ["R", "w", "VirtHost"] {
        let (members, files) = cf.class(class);
        known.extend(members.into_iter().map(str::to_lowercase));
        for file in
            files.into_iter().map(|file| file.trim_start_matches("-o")).filter(|file| file.starts_with('/'))
        {
            let text = fs::read_to_string(file).unwrap_or_default();
            known.extend(text.lines().map(|line| line.trim().to_lowercase()));
        }
    }
    // What an access table lets in is not looked up.
    if cf.after("Kaccess").next().is_some() {
        return;
    }
    for domain in needs.domains.iter().filter(|domain| domain.active) {
        let (DomainPattern::Exact(name) | DomainPattern::Below(name)) = &domain.pattern;
        let is_in = |one: &String| *one == name.as_str() || name.parents().any(|parent| parent == one);
        if !known.iter().any(is_in) {
            let why = format!(
                "Sendmail takes no mail for {}: every recipient is refused as relaying",
                domain.pattern
            );
            findings.add(Error, "sendmail.cf: class R", "", why, format!("RELAY_DOMAIN(`{name}')dnl"));
        }
    }
}

/// Whether the rules are there.
fn rules(needs: &Needs, cf: &Cf, findings: &mut Findings) {
    for group in groups(needs) {
        let Some(missing) = group.lines.iter().find(|line| !cf.has(line)) else { continue };
        let why = match group.topic {
            Topic::Scan => {
                "mail that is to be scanned does not get to the scanner: it waits, or bounces as to a host unknown"
            }
            Topic::Route => "[[route]] has no effect: mail goes where Sendmail thinks",
            Topic::Tls => {
                "the `tls` of servers has no effect: their mail may go in clear, or to somebody else"
            }
            Topic::Port => "there is no mailer to this port, and mail for it waits",
        };
        let write = "what postern mta sendmail prints now: make sendmail.cf from it";
        let place = format!("sendmail.cf: {}", group.part);
        findings.add(Error, place, format!("not {}", missing.replace('\t', " ")), why, write);
    }
    if needs.routes && needs.socketmap.is_none() {
        let why = "[[route]] has no effect: Sendmail can look nothing up";
        findings.add(
            Error,
            "postern.toml: [socketmap]",
            "",
            why,
            "[socketmap]\nlisten = [\"inet:127.0.0.1:8892\"]",
        );
    }
}

fn certificates(needs: &Needs, cf: &Cf, findings: &mut Findings) {
    let file = cf.option("CACertFile").filter(|file| !file.is_empty());
    if (needs.certificates || needs.verifies()) && file.is_none() {
        let why = "no certificate is trusted, neither a gateway's nor a server's";
        findings.add(
            Error,
            "sendmail.cf: O CACertFile",
            "",
            why,
            "define(`confCACERT', `/etc/mail/tls/authorities.pem')dnl",
        );
    }
    if !needs.certificates {
        return;
    }
    let options = cf.option("TLSSrvOptions").unwrap_or_default();
    if options.contains('V') {
        let why = "no client is asked for its certificate, so gateways that must show one are not known";
        findings.add(Error, "sendmail.cf: O TLSSrvOptions", options, why, "no V in confTLS_SRV_OPTIONS");
    }
    let count = file
        .and_then(|file| fs::read_to_string(file).ok())
        .map_or(0, |text| text.matches("BEGIN CERT").count());
    if count > AUTHORITIES && !needs.verifies() {
        let why = "any of them can vouch for the name of your gateway, and for that of whoever pays for it";
        let there = format!("{}, with {count} authorities", file.unwrap_or_default());
        findings.add(
            Warning,
            "sendmail.cf: O CACertFile",
            there,
            why,
            "the authority that your gateway's certificate is from",
        );
    }
}

/// A time of Sendmail's: numbers, each with s, m, h, d or w, or alone, which is minutes for some and seconds for others.
fn seconds(time: &str) -> Option<u64> {
    let time = time.trim();
    let digits = time.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &time[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
