// SPDX-License-Identifier: GPL-3.0-or-later
//! The lines of sendmail.mc, ready to be included at its end.

use super::super::needs::{Needs, reached};
use super::rules::{Group, groups, socket};
use crate::cli::output::wrapped;
use crate::mail::DomainPattern;
use std::path::Path;

/// How long Sendmail waits: for the connection, for sending, for each answer, and for the end of a message.
pub(super) const PATIENCE: &str = "C:30s;S:10s;R:30s;E:5m";

/// All of it.
pub(super) fn text(needs: &Needs, file: &Path) -> String {
    let mut text = String::new();
    remark(
        &mut text,
        &format!(
            "For the end of sendmail.mc, behind the MAILER lines, from {}. Keep it in a file of its own and write \
             include(`/etc/mail/postern.m4')dnl there: the columns of rules are parted by tabs, which do not survive every paste. \
             Then make sendmail.cf and restart Sendmail.",
            file.display()
        ),
    );
    milter(&mut text, needs);
    domains(&mut text, needs);
    certificates(&mut text, needs);
    let mut part = "";
    for Group { part: of, why, lines, topic: _ } in groups(needs) {
        text.push_str("dnl\n");
        remark(&mut text, &why);
        if part != of {
            text.extend([of, "\n"]);
            part = of;
        }
        text.extend(lines.iter().flat_map(|line| [line.as_str(), "\n"]));
    }
    if !part.is_empty() {
        text.push_str("divert(0)dnl\n");
    }
    text
}

fn milter(text: &mut String, needs: &Needs) {
    let Some(door) = &needs.milter else { return };
    text.push_str("dnl\n");
    remark(
        text,
        "Postern is asked about every message that comes over SMTP. F=T: while it does not answer, mail waits at the sender (451), \
         and nothing is lost; without F= everybody would be let in. T: how long to wait for the connection, for sending, for each \
         answer and for the end of a message. The macros that it needs it asks for itself.",
    );
    match reached(door).as_ref().and_then(socket) {
        Some(socket) => {
            text.extend(["INPUT_MAIL_FILTER(`postern', `S=", &socket, ", F=T, T=", PATIENCE, "')dnl\n"]);
        }
        None => remark(
            text,
            "[milter] listens where systemd says, which only the unit knows: put its ListenStream into postern.toml for a moment \
             to see the line for it.",
        ),
    }
}

fn domains(text: &mut String, needs: &Needs) {
    let names: Vec<String> = needs
        .domains
        .iter()
        .map(|domain| match &domain.pattern {
            DomainPattern::Exact(domain) | DomainPattern::Below(domain) => domain.to_string(),
        })
        .collect();
    if names.is_empty() {
        return;
    }
    text.push_str("dnl\n");
    remark(
        text,
        "The domains that Sendmail takes mail for, and passes on where they are not local; each stands for what is below it, too. \
         Who exists there Postern says.",
    );
    text.extend(names.iter().flat_map(|name| ["RELAY_DOMAIN(`", name, "')dnl\n"]));
}

fn certificates(text: &mut String, needs: &Needs) {
    if needs.certificates {
        text.push_str("dnl\n");
        remark(
            text,
            "Clients are asked for a certificate unless confTLS_SRV_OPTIONS has a V. Set confCACERT to a file with the authority \
             that your gateway's is from, confCACERT_PATH to a directory, and confSERVER_CERT and confSERVER_KEY to your own.",
        );
    }
    if needs.verifies() {
        text.push_str("dnl\n");
        remark(
            text,
            "confCACERT must also hold who signs the certificates of servers with tls = \"verify\".",
        );
    }
    if needs.fingerprints {
        text.push_str("dnl\n");
        remark(text, "Sendmail tells no fingerprints: gateways that are known by theirs are unknown to it.");
    }
    if needs.servers.iter().any(|server| server.tls == crate::policy::TlsWish::Dane) {
        text.push_str("dnl\n");
        remark(
            text,
            "TLSA records count; this takes a Sendmail that was built with DANE, and mail waits without.",
        );
        text.push_str("define(`confDANE', `true')dnl\n");
    }
    if needs.routes && needs.socketmap.is_none() {
        text.push_str("dnl\n");
        remark(text, "[[route]] needs [socketmap]: without it Sendmail cannot ask where mail goes.");
    }
}

/// A comment; m4 takes no quotes in it for its own behind dnl.
fn remark(text: &mut String, words: &str) {
    for line in wrapped(words, 76) {
        text.extend(["dnl ", &line, "\n"]);
    }
}
