// SPDX-License-Identifier: GPL-3.0-or-later
//! `[milter]`: sockets, their rights, limits.

use super::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::{Listen, Milter};
use crate::config::wording::quoted;
use crate::config::{Problem, Severity};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Longest path of a unix socket, in octets (`sun_path` without its final NUL).
const MAX_SOCKET_PATH: usize = 107;
/// Longest name of a socket that systemd passes (sd_listen_fds(3)).
const MAX_SOCKET_NAME: usize = 255;
/// Longest drain.
const MAX_DRAIN: Duration = Duration::from_secs(3600);
/// Most connections that may be asked for.
const MAX_CONNECTIONS: i64 = 1_000_000;

impl Check<'_> {
    pub(super) fn milter(&mut self, milter: Option<&file::Milter>) -> Milter {
        let Some(milter) = milter else {
            if !self.lost.touches(&["milter"]) {
                self.problems.push(
                    Problem::new(Severity::Error, Some(self.place(None)), "the table [milter] is missing")
                        .help("write a line [milter], and below it `listen = [\"inet:127.0.0.1:8890\"]`"),
                );
            }
            return Milter {
                listen: Vec::new(),
                socket_mode: 0,
                socket_group: None,
                drain_timeout: Duration::ZERO,
                max_connections: 1,
            };
        };
        let file::Milter { listen, socket_mode, socket_group, drain_timeout, max_connections } = milter;
        let listen = self.listen(listen.as_ref());
        if listen.iter().all(|l| !matches!(l, Listen::Unix(_))) && !self.lost.touches(&["milter", "listen"]) {
            let given = [Some(socket_mode), socket_group.as_ref()].into_iter().flatten();
            for key in given.filter(|key| key.span().is_some()) {
                let problem = self
                    .warning(key, "this is for unix sockets, and there is none")
                    .help("leave it out, or listen on a `unix:` path");
                self.problems.push(problem);
            }
        }
        Milter {
            listen,
            socket_mode: self.socket_mode(socket_mode),
            socket_group: socket_group.as_ref().map(|group| self.socket_group(group)),
            drain_timeout: self.duration(drain_timeout),
            max_connections: self.max_connections(max_connections),
        }
    }

    fn listen(&mut self, listen: Option<&Placed<Vec<Placed<String>>>>) -> Vec<Listen> {
        let lost = self.lost.touches(&["milter", "listen"]);
        let Some(list) = listen else {
            if !lost {
                let place = self.table_place("milter");
                self.problems.push(
                    Problem::error(place, "`listen` is missing in [milter]")
                        .help("write `listen = [\"inet:127.0.0.1:8890\"]` below it"),
                );
            }
            return Vec::new();
        };
        if list.is_empty() && !lost {
            let problem = self
                .error(list, "the list is empty, so nobody could reach Postern")
                .help("write `listen = [\"inet:127.0.0.1:8890\"]`");
            self.problems.push(problem);
        }
        let mut sockets: Vec<(Listen, &Placed<String>)> = Vec::new();
        for written in list.iter() {
            match self.socket(written) {
                Err(problem) => self.problems.push(problem),
                Ok(socket) => {
                    if let Some((_, first)) = sockets.iter().find(|(other, _)| *other == socket) {
                        let problem = self
                            .error(written, format!("{} is listed twice", quoted(written)))
                            .help("keep one of the two")
                            .see("listed here", self.place(first.span()));
                        self.problems.push(problem);
                    } else {
                        self.exposure(&socket, written);
                        sockets.push((socket, written));
                    }
                }
            }
        }
        sockets.into_iter().map(|(socket, _)| socket).collect()
    }

    fn socket(&self, written: &Placed<String>) -> Result<Listen, Problem> {
        let Some((kind, rest)) = written.split_once(':') else {
            return Err(self
                .error(written, format!("{} is no socket", quoted(written)))
                .help("write inet:ADDRESS:PORT, unix:PATH or systemd:NAME"));
        };
        match kind {
            "inet" | "inet6" => self.tcp(written, kind, rest).map(Listen::Tcp),
            "unix" | "local" => self.unix(written, kind, rest).map(Listen::Unix),
            "systemd" if is_socket_name(rest) => Ok(Listen::Systemd(rest.to_owned())),
            "systemd" => Err(self
                .error(written, format!("{} is no name of a socket", quoted(rest)))
                .help("write the FileDescriptorName of the .socket unit: systemd:postern-milter")),
            _ => {
                let problem = self.error(written, format!("{} is no kind of socket", quoted(kind)));
                Err(problem.help("write inet:ADDRESS:PORT, unix:PATH or systemd:NAME"))
            }
        }
    }

    fn tcp(&self, written: &Placed<String>, kind: &str, rest: &str) -> Result<SocketAddr, Problem> {
        if kind == "inet"
            && let Ok(address) = rest.parse()
        {
            return Ok(address);
        }
        let problem = self.error(written, format!("{} is no address and port", quoted(written)));
        // libmilter and Sendmail write inet:PORT@HOST.
        if let Some((port, host)) = rest.split_once('@')
            && let (Ok(port), Ok(address)) = (port.parse(), host.trim_matches(['[', ']']).parse::<IpAddr>())
        {
            return Err(problem.help(format!("write inet:{}", SocketAddr::new(address, port))));
        }
        if let Some((host, port)) = rest.rsplit_once(':')
            && let Ok(port) = port.parse::<u16>()
        {
            if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
                return Err(problem.help(format!("write inet:{}", SocketAddr::new(address, port))));
            }
            if host == "localhost" {
                return Err(problem.help(format!("write inet:127.0.0.1:{port}")));
            }
            return Err(problem.help(format!(
                "write an IP address, for names are not looked up here: inet:127.0.0.1:{port}"
            )));
        }
        if let Ok(port) = rest.parse::<u16>() {
            return Err(problem.help(format!("write inet:127.0.0.1:{port}")));
        }
        Err(problem.help("write inet:127.0.0.1:8890 or inet:[::1]:8890; a port is a number up to 65535"))
    }

    fn unix(&self, written: &Placed<String>, kind: &str, rest: &str) -> Result<PathBuf, Problem> {
        if kind == "local" {
            let problem = self.error(written, "`local` is no kind of socket");
            return Err(problem.help(format!("write unix:{rest}")));
        }
        if rest.is_empty() {
            let problem = self.error(written, "the path of the socket is missing");
            return Err(problem.help("write unix:/run/postern/milter.sock"));
        }
        let path = self.text.base().join(rest);
        if path.as_os_str().len() > MAX_SOCKET_PATH {
            let problem = self.error(written, "the path of the socket is too long");
            return Err(problem.help(format!("at most {MAX_SOCKET_PATH} octets fit")));
        }
        Ok(path)
    }

    /// Who can reach a socket can ask; the milter protocol knows no password.
    fn exposure(&mut self, socket: &Listen, written: &Placed<String>) {
        let Listen::Tcp(address) = socket else { return };
        if address.port() == 0 {
            let problem = self
                .warning(written, "with port 0 the system picks a port, and the MTA does not know which")
                .help(format!("write inet:{}", SocketAddr::new(address.ip(), 8890)));
            self.problems.push(problem);
        }
        if !address.ip().to_canonical().is_loopback() {
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
            let problem = Problem::note(
                self.place(written.span()),
                "everyone who reaches this port can ask: the milter protocol knows no password",
            );
            self.problems.push(
                problem.help(format!("write inet:{here} for an MTA on this machine, or guard the port")),
            );
        }
    }

    fn socket_mode(&mut self, written: &Placed<String>) -> u32 {
        let digits = written.strip_prefix('0').unwrap_or(written);
        let octal = digits.len() == 3 && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
        let mode = u32::from_str_radix(digits, 8).ok().filter(|_| octal);
        let Some(mode) = mode else {
            let problem = self
                .error(written, format!("{} is no access mode", quoted(written)))
                .help("write three octal digits after a 0: \"0660\" lets Postern's user and group connect");
            self.problems.push(problem);
            return 0;
        };
        if mode & 0o002 != 0 {
            let problem = self
                .warning(written, "every user of this machine can connect to the socket")
                .help("write \"0660\", and the MTA's group as `socket_group`");
            self.problems.push(problem);
        }
        mode
    }

    fn socket_group(&mut self, written: &Placed<String>) -> String {
        let fits = !written.is_empty() && written.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        if !fits {
            let problem = self
                .error(written, format!("{} is no name of a group", quoted(written)))
                .help("write the group that the MTA runs in, such as \"postfix\"");
            self.problems.push(problem);
        }
        (**written).clone()
    }

    fn duration(&mut self, written: &Placed<String>) -> Duration {
        let (digits, unit) = written.split_at(written.bytes().take_while(u8::is_ascii_digit).count());
        let millis = match unit {
            "ms" => Some(1),
            "s" => Some(1000),
            "m" => Some(60 * 1000),
            "h" => Some(60 * 60 * 1000),
            _ => None,
        };
        let value = digits.parse::<u64>().ok().zip(millis).and_then(|(n, millis)| n.checked_mul(millis));
        let problem = match value.map(Duration::from_millis) {
            Some(duration) if duration <= MAX_DRAIN => return duration,
            Some(_) => self.error(written, "this is too long").help("at most \"1h\""),
            None => self
                .error(written, format!("{} is no length of time", quoted(written)))
                .help("write a number and ms, s, m or h: \"500ms\", \"30s\", \"5m\""),
        };
        self.problems.push(problem);
        Duration::ZERO
    }

    fn max_connections(&mut self, written: &Placed<i64>) -> usize {
        if (1..=MAX_CONNECTIONS).contains(&**written)
            && let Ok(number) = usize::try_from(**written)
        {
            return number;
        }
        let problem = self.error(written, format!("`max_connections` cannot be {}", **written));
        self.problems.push(problem.help(format!("write a number from 1 to {MAX_CONNECTIONS}")));
        1
    }
}

fn is_socket_name(name: &str) -> bool {
    (1..=MAX_SOCKET_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b':')
}
