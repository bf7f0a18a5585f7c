// SPDX-License-Identifier: GPL-3.0-or-later
//! `[milter]`: where to listen, rights of unix sockets, limits.

use super::Check;
use super::socket;
use crate::config::Problem;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::{Listen, Milter};
use crate::config::table::Table;
use crate::config::wording::quoted;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Longest drain.
const MAX_DRAIN: Duration = Duration::from_secs(3600);
/// Most connections that may be asked for.
const MAX_CONNECTIONS: i64 = 1_000_000;

impl Check<'_> {
    pub(super) fn milter(&mut self, milter: Option<&Table<file::Milter>>) -> Milter {
        let Some(table) = milter else {
            if !self.lost.touches(&["milter"]) {
                let problem = Problem::error(self.text.place(0..0), "the table [milter] is missing");
                self.problems.push(
                    problem.help("write a line [milter], and below it `listen = [\"inet:127.0.0.1:8890\"]`"),
                );
            }
            return Milter {
                listen: Vec::new(),
                socket_mode: 0,
                socket_group: None,
                drain_timeout: Duration::ZERO,
                max_connections: 0,
            };
        };
        let file::Milter { listen, socket_mode, socket_group, drain_timeout, max_connections } = &***table;
        let listen = self.listen(table, listen.as_ref());
        if !listen.iter().any(Listen::is_unix) && !self.lost.touches(&["milter", "listen"]) {
            let keys = [Some(socket_mode), socket_group.as_ref()].into_iter().flatten();
            for key in keys.filter(|key| key.span().is_some()) {
                let what = "this is for unix sockets, and there is none";
                self.warning(key, what, "leave it out, or listen on a `unix:` path");
            }
        }
        Milter {
            listen,
            socket_mode: self.socket_mode(socket_mode),
            socket_group: socket_group.as_ref().map(|group| self.socket_group(group)),
            drain_timeout: self.duration(
                drain_timeout,
                MAX_DRAIN,
                "write a number and ms, s, m or h: \"500ms\", \"30s\", \"5m\"",
            ),
            max_connections: self.max_connections(max_connections),
        }
    }

    fn listen(
        &mut self,
        table: &Table<file::Milter>,
        listen: Option<&Placed<Vec<Placed<String>>>>,
    ) -> Vec<Listen> {
        let path = ["milter", "listen"];
        let help = "write `listen = [\"inet:127.0.0.1:8890\"]`";
        let Some(written) = listen else {
            if !self.lost.touches(&path) {
                self.error(table, "`listen` is missing in [milter]", help);
            }
            return Vec::new();
        };
        self.not_empty(written, &path, "nobody could reach Postern", help);
        let mut sockets: Vec<(Listen, &Placed<String>)> = Vec::new();
        for written in written.iter() {
            let socket = match socket::parse(written, self.text.base()) {
                Ok(socket) => socket,
                Err((what, help)) => {
                    self.error(written, what, help);
                    continue;
                }
            };
            if let Some((_, first)) = sockets.iter().find(|(other, _)| *other == socket) {
                self.twice(written, first, format!("{} is listed twice", quoted(written)));
            } else {
                self.exposure(&socket, written);
                sockets.push((socket, written));
            }
        }
        sockets.into_iter().map(|(socket, _)| socket).collect()
    }

    /// Who can reach a socket can ask; the milter protocol knows no password.
    fn exposure(&mut self, socket: &Listen, written: &Placed<String>) {
        let Listen::Tcp(address) = socket else { return };
        if address.port() == 0 {
            let what = "with port 0 the system picks a port, and the MTA does not know which";
            self.warning(written, what, format!("write inet:{}", SocketAddr::new(address.ip(), 8890)));
        }
        if !address.ip().to_canonical().is_loopback() {
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
            let what = "everyone who reaches this port can ask: the milter protocol knows no password";
            self.note(
                written,
                what,
                format!("write inet:{here} for an MTA on this machine, or guard the port"),
            );
        }
    }

    fn socket_mode(&mut self, written: &Placed<String>) -> u32 {
        let digits = written.strip_prefix('0').unwrap_or(written);
        let octal = digits.len() == 3 && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
        let Some(mode) = u32::from_str_radix(digits, 8).ok().filter(|_| octal) else {
            let help = "write a 0 and three octal digits: \"0660\" lets Postern's user and group connect";
            self.error(written, format!("{} is no access mode", quoted(written)), help);
            return 0;
        };
        if mode & 0o002 != 0 {
            let what = "every user of this machine can connect to the socket";
            self.warning(written, what, "write \"0660\", and the MTA's group as `socket_group`");
        }
        mode
    }

    fn socket_group(&mut self, written: &Placed<String>) -> String {
        if written.is_empty() || !written.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            let what = format!("{} is no name of a group", quoted(written));
            self.error(written, what, "write the group that the MTA runs in, such as \"postfix\"");
        }
        (**written).clone()
    }

    fn max_connections(&mut self, written: &Placed<i64>) -> usize {
        if (1..=MAX_CONNECTIONS).contains(&**written)
            && let Ok(number) = usize::try_from(**written)
        {
            return number;
        }
        let what = format!("`max_connections` cannot be {}", **written);
        self.error(written, what, format!("write a number from 1 to {MAX_CONNECTIONS}"));
        0
    }
}
