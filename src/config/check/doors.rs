// SPDX-License-Identifier: GPL-3.0-or-later
//! `[milter]`, `[policyd]`, `[socketmap]`: where to listen, rights of unix sockets, limits.

use super::Check;
use super::socket;
use crate::config::Problem;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::{Door, Listen, Policyd};
use crate::config::table::Table;
use crate::config::wording::quoted;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Longest drain.
const MAX_DRAIN: Duration = Duration::from_secs(3600);
/// The drain where no milter says how long it is.
pub(super) const DRAIN: Duration = Duration::from_secs(30);
/// Most connections that may be asked for.
const MAX_CONNECTIONS: i64 = 1_000_000;

/// Every socket that is listened on, and where it is written.
#[derive(Default)]
pub(super) struct Sockets<'a>(Vec<(Listen, &'a Placed<String>)>);

impl<'a> Sockets<'a> {
    /// Where the first one is written that is looked for.
    pub(super) fn find(&self, mut is_it: impl FnMut(&Listen) -> bool) -> Option<&'a Placed<String>> {
        self.0.iter().find(|(socket, _)| is_it(socket)).map(|(_, written)| *written)
    }
}

/// What all doors have in common.
struct Written<'a> {
    kind: &'static str,
    /// The port that is shown as an example.
    port: u16,
    listen: Option<&'a Placed<Vec<Placed<String>>>>,
    socket_mode: &'a Placed<String>,
    socket_group: Option<&'a Placed<String>>,
    max_connections: &'a Placed<i64>,
}

impl Check<'_> {
    /// Says that there is no door at all.
    pub(super) fn some_door(&mut self, any: bool) {
        let lost = ["milter", "policyd", "socketmap"].iter().any(|kind| self.lost.touches(&[kind]));
        if any || lost {
            return;
        }
        let problem = Problem::error(self.text.place(0..0), "the table [milter] is missing");
        let help = "write a line [milter], and below it `listen = [\"inet:127.0.0.1:8890\"]`; or [policyd] or [socketmap]";
        self.problems.push(problem.help(help));
    }

    /// The milter door, and how long sessions may go on after the order to stop.
    pub(super) fn milter<'a>(
        &mut self,
        table: &'a Table<file::Milter>,
        sockets: &mut Sockets<'a>,
    ) -> (Door, Duration) {
        let file::Milter { listen, socket_mode, socket_group, drain_timeout, max_connections } = &***table;
        let written = Written {
            kind: "milter",
            port: 8890,
            listen: listen.as_ref(),
            socket_mode,
            socket_group: socket_group.as_ref(),
            max_connections,
        };
        let help = "write a number and ms, s, m or h: \"500ms\", \"30s\", \"5m\"";
        (self.door(table, &written, sockets), self.duration(drain_timeout, MAX_DRAIN, help))
    }

    pub(super) fn policyd<'a>(
        &mut self,
        table: &'a Table<file::Policyd>,
        has_milter: bool,
        sockets: &mut Sockets<'a>,
    ) -> Policyd {
        let file::Policyd { listen, socket_mode, socket_group, max_connections, alone } = &***table;
        let written = Written {
            kind: "policyd",
            port: 8891,
            listen: listen.as_ref(),
            socket_mode,
            socket_group: socket_group.as_ref(),
            max_connections,
        };
        Policyd {
            door: self.door(table, &written, sockets),
            alone: alone.as_ref().map_or(!has_milter, |alone| **alone),
        }
    }

    pub(super) fn socketmap<'a>(
        &mut self,
        table: &'a Table<file::Socketmap>,
        sockets: &mut Sockets<'a>,
    ) -> Door {
        let file::Socketmap { listen, socket_mode, socket_group, max_connections } = &***table;
        let written = Written {
            kind: "socketmap",
            port: 8892,
            listen: listen.as_ref(),
            socket_mode,
            socket_group: socket_group.as_ref(),
            max_connections,
        };
        self.door(table, &written, sockets)
    }

    fn door<'a, T>(&mut self, table: &Table<T>, written: &Written<'a>, sockets: &mut Sockets<'a>) -> Door {
        let Written { kind, port: _, listen: _, socket_mode, socket_group, max_connections } = *written;
        let listen = self.listen(table, written, sockets);
        if !listen.iter().any(Listen::is_unix) && !self.lost.touches(&[kind, "listen"]) {
            let keys = [Some(socket_mode), socket_group].into_iter().flatten();
            for key in keys.filter(|key| key.span().is_some()) {
                let what = "this is for unix sockets, and there is none";
                self.warning(key, what, "leave it out, or listen on a `unix:` path");
            }
        }
        Door {
            listen,
            socket_mode: self.socket_mode(socket_mode),
            socket_group: socket_group.map(|group| self.socket_group(group)),
            max_connections: self.max_connections(max_connections),
        }
    }

    fn listen<'a, T>(
        &mut self,
        table: &Table<T>,
        written: &Written<'a>,
        sockets: &mut Sockets<'a>,
    ) -> Vec<Listen> {
        let Written { kind, port, listen, .. } = *written;
        let path = [kind, "listen"];
        let help = format!("write `listen = [\"inet:127.0.0.1:{port}\"]`");
        let Some(written) = listen else {
            if !self.lost.touches(&path) {
                self.error(table, format!("`listen` is missing in [{kind}]"), help);
            }
            return Vec::new();
        };
        self.not_empty(written, &path, "nobody could reach Postern", &help);
        let mut own = Vec::new();
        for written in written.iter() {
            let socket = match socket::parse(written, self.text.base()) {
                Ok(socket) => socket,
                Err((what, help)) => {
                    self.error(written, what, help);
                    continue;
                }
            };
            // One socket is one protocol's.
            if let Some(first) = sockets.find(|other| *other == socket) {
                self.twice(written, first, format!("{} is listed twice", quoted(written)));
            } else {
                self.exposure(&socket, written, port);
                sockets.0.push((socket.clone(), written));
                own.push(socket);
            }
        }
        own
    }

    /// Who can reach a socket can ask; no protocol of an MTA knows a password.
    fn exposure(&mut self, socket: &Listen, written: &Placed<String>, port: u16) {
        let Listen::Tcp(address) = socket else { return };
        if address.port() == 0 {
            let what = "with port 0 the system picks a port, and the MTA does not know which";
            self.warning(written, what, format!("write inet:{}", SocketAddr::new(address.ip(), port)));
        }
        if !address.ip().to_canonical().is_loopback() {
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
            let what = "everyone who reaches this port can ask: the protocol knows no password";
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
