// SPDX-License-Identifier: GPL-3.0-or-later
//! The lines of main.cf, ready to paste: comments of at most 80 columns, values as Postfix reads them.

use super::super::needs::{Needs, reached};
use super::settings::{Postfix, Setting};
use super::version::Version;
use crate::cli::output::wrapped;
use crate::config::{Door, Listen};
use serde::Serialize;
use std::path::Path;

/// A setting for a program that reads it.
#[derive(Serialize)]
pub(super) struct Json<'a> {
    name: &'a str,
    value: String,
    why: &'a str,
}

pub(super) fn json(settings: &[Setting]) -> Vec<Json<'_>> {
    settings
        .iter()
        .map(|Setting { name, value, why, want: _ }| Json { name, value: value.join(", "), why })
        .collect()
}

/// All of it.
pub(super) fn text(needs: &Needs, postfix: Postfix<'_>, settings: &[Setting], file: &Path) -> String {
    let mut text = String::new();
    comment(
        &mut text,
        &format!(
            "For main.cf of Postfix {}, from {}. A parameter that is there already gets this value instead: of two lines the last \
             counts.",
            postfix.version,
            file.display()
        ),
    );
    for setting in settings {
        text.push('\n');
        let mut lines = setting.why.lines();
        comment(&mut text, lines.next().unwrap_or_default());
        lines.for_each(|line| text.extend(["# ", line, "\n"]));
        text.push_str(&setting.line());
        text.push('\n');
    }
    for remark in remarks(needs, postfix) {
        text.push('\n');
        comment(&mut text, &remark);
    }
    text
}

/// What no line of main.cf can say.
fn remarks(needs: &Needs, postfix: Postfix<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    let doors = [("milter", &needs.milter), ("policyd", &needs.policyd), ("socketmap", &needs.socketmap)];
    let open = || doors.iter().filter_map(|(name, door)| Some((*name, door.as_ref()?)));
    for (name, door) in open().filter(|(_, door)| reached(door).is_none()) {
        let Door { listen, .. } = door;
        let unit = listen.iter().find_map(|listen| match listen {
            Listen::Systemd(unit) => Some(unit.as_str()),
            Listen::Tcp(_) | Listen::Unix(_) => None,
        });
        remarks.push(format!(
            "[{name}] listens where systemd says (systemd:{}), which only the unit knows. Put its ListenStream into \
             postern.toml for a moment to see the lines for it.",
            unit.unwrap_or_default()
        ));
    }
    let absolute = |door: &Door| match reached(door) {
        Some(Listen::Unix(path)) => path.strip_prefix(postfix.queue).is_err(),
        Some(Listen::Tcp(_) | Listen::Systemd(_)) | None => false,
    };
    if open().any(|(_, door)| absolute(door)) {
        remarks.push(format!(
            "In master.cf, smtpd must not run in a chroot (n in column 5): it would not find a unix socket outside of {}.",
            postfix.queue.display()
        ));
    }
    if needs.socketmap.is_none() && needs.routes {
        remarks
            .push("[[route]] needs [socketmap]: without it Postfix cannot ask where mail goes.".to_owned());
    }
    if needs.scans && needs.milter.is_none() {
        remarks.push("Scanning needs [milter]: nothing else can steer a message.".to_owned());
    }
    if needs.certificates {
        remarks.push(
            "Set smtpd_tls_CAfile to a file with the authority that your gateway's certificate is from, and no other: Postfix \
             tells the names of trusted certificates only."
                .to_owned(),
        );
    }
    let several = needs.servers.iter().any(|server| server.hosts.len() > 1);
    if several && postfix.version < Version::NEXT_HOPS {
        remarks.push(
            "Postfix knows several next hops from 3.5 on; give each server one host, or a name with several addresses.".to_owned(),
        );
    }
    for (name, door) in open().filter(|(_, door)| door.max_connections < 100) {
        remarks.push(format!(
            "Postfix runs 100 processes of a kind (default_process_limit), and [{name}] max_connections is {}: raise that, or \
             lower the limit of smtpd in master.cf (column 7).",
            door.max_connections
        ));
    }
    remarks
}

fn comment(text: &mut String, words: &str) {
    for line in wrapped(words, 78) {
        text.extend(["# ", &line, "\n"]);
    }
}
