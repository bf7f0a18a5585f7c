// SPDX-License-Identifier: GPL-3.0-or-later
//! Sockets as they are written: `inet:ADDRESS:PORT`, `unix:PATH`, `systemd:NAME`. Host names are not looked up: what
//! Postern listens on must not depend on DNS.

use crate::config::settings::Listen;
use crate::config::wording::quoted;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Longest path of a unix socket, in octets (`sun_path` without its final NUL).
const MAX_PATH: usize = 107;
/// Longest name of a socket that systemd passes, in octets (`sd_listen_fds(3)`).
const MAX_NAME: usize = 255;

/// What is wrong, and what to write instead.
type Wrong = (String, String);

/// Reads a socket. A relative path starts from `base`.
pub(super) fn parse(written: &str, base: &Path) -> Result<Listen, Wrong> {
    let kinds = "write inet:ADDRESS:PORT, unix:PATH or systemd:NAME";
    let Some((kind, rest)) = written.split_once(':') else {
        return Err((format!("{} is no socket", quoted(written)), kinds.to_owned()));
    };
    match kind {
        "inet" => rest.parse().map(Listen::Tcp).map_err(|_| no_tcp(written, rest)),
        "inet6" => Err(no_tcp(written, rest)),
        "unix" => unix(rest, base).map(Listen::Unix),
        "local" => Err(("`local` is no kind of socket".to_owned(), format!("write unix:{rest}"))),
        "systemd" => systemd(rest).map(Listen::Systemd),
        _ => Err((format!("{} is no kind of socket", quoted(kind)), kinds.to_owned())),
    }
}

/// Guesses what was meant: libmilter and Sendmail write `inet:PORT@HOST`, Postfix `inet:HOST:PORT`.
fn no_tcp(written: &str, rest: &str) -> Wrong {
    let example = "write inet:127.0.0.1:8890 or inet:[::1]:8890; a port is a number up to 65535";
    let turned = rest.split_once('@').map(|(port, host)| (host, port));
    let (host, port) = turned.or_else(|| rest.rsplit_once(':')).unwrap_or(("127.0.0.1", rest));
    let address = if host == "localhost" { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
    let help = match (address.parse::<IpAddr>(), port.parse::<u16>()) {
        (Ok(address), Ok(port)) => format!("write inet:{}", SocketAddr::new(address, port)),
        (Err(_), Ok(port)) => {
            format!("write an IP address, for names are not looked up here: inet:127.0.0.1:{port}")
        }
        (Ok(_) | Err(_), Err(_)) => example.to_owned(),
    };
    (format!("{} is no address and port", quoted(written)), help)
}

fn unix(path: &str, base: &Path) -> Result<PathBuf, Wrong> {
    if path.is_empty() {
        let help = "write unix:/run/postern/milter.sock".to_owned();
        return Err(("the path of the socket is missing".to_owned(), help));
    }
    let path = base.join(path);
    if path.as_os_str().len() > MAX_PATH {
        let help = format!("{MAX_PATH} octets fit at most");
        return Err(("the path of the socket is too long".to_owned(), help));
    }
    Ok(path)
}

fn systemd(name: &str) -> Result<String, Wrong> {
    let fits =
        (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    if fits {
        return Ok(name.to_owned());
    }
    let help = "write the FileDescriptorName of the .socket unit: systemd:postern-milter".to_owned();
    Err((format!("{} is no name of a socket", quoted(name)), help))
}
