// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern servers`: where mail goes, which hosts take it, and in which order they are tried now.

mod check;
mod json;
mod list;
mod probe;

pub(super) use check::check;

use super::arguments::{Servers, ServersOptions};
use super::progress::Progress;
use super::server_watch;
use crate::config::{self, Config, Problems, Server};
use crate::mail::{CertificatePattern, NextHop};
use crate::policy::TlsWish;
use crate::servers::Looked;
use futures_util::stream::{self, StreamExt as _};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use tokio::runtime;

/// Hosts that a command looks at at one time.
const AT_ONCE: usize = 16;

/// Does what is asked.
pub(super) fn servers(path: &Path, options: ServersOptions) -> io::Result<ExitCode> {
    let ServersOptions { what, json } = options;
    match what {
        None => list::list(&open(path)?, json),
        Some(Servers::Probe { .. }) if json => {
            Err(io::Error::other("--json before `probe` is for the list of all servers"))
        }
        Some(Servers::Probe { names, json }) => {
            let config = open(path)?;
            let chosen = choose(&config, &names)?;
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            let looked = runtime.block_on(look(&config, &chosen))?;
            probe::tell(&looked, json)
        }
    }
}

fn open(path: &Path) -> io::Result<Config> {
    let mut problems = Problems::default();
    let config = config::read(path, &mut problems).ok().flatten();
    problems.sort();
    config.filter(|_| !problems.has_errors()).ok_or_else(|| {
        super::print_errors(problems);
        io::Error::other(format!("{} cannot be used", path.display()))
    })
}

/// The servers of these names, or all.
fn choose<'a>(config: &'a Config, names: &[String]) -> io::Result<Vec<&'a Server>> {
    if names.is_empty() {
        return Ok(config.servers.iter().collect());
    }
    let find = |name: &String| {
        config.servers.iter().find(|server| *server.name == **name).ok_or_else(|| {
            let defined: Vec<&str> = config.servers.iter().map(|server| &*server.name).collect();
            let known = if defined.is_empty() { "none".to_owned() } else { defined.join(", ") };
            io::Error::other(format!("there is no server `{name}`; defined: {known}"))
        })
    };
    names.iter().map(find).collect()
}

/// A server with what was found at each of its hosts.
type Probed<'a> = (&'a Server, Vec<(&'a NextHop, Looked)>);

/// Looks at all hosts of servers, and shows how far that is.
async fn look<'a>(config: &Config, servers: &[&'a Server]) -> io::Result<Vec<Probed<'a>>> {
    let probe = server_watch::probe(config).map_err(io::Error::other)?;
    let hosts = servers.iter().flat_map(|server| server.hosts.iter().map(move |hop| (hop, &server.tls)));
    let progress = Progress::begin("looking at hosts", hosts.clone().count());
    let looks = hosts.map(async |(hop, tls)| {
        let looked = probe.look(hop, tls).await;
        progress.step();
        looked
    });
    let mut looked = stream::iter(looks).buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter();
    drop(progress);
    let of = |server: &&'a Server| (*server, server.hosts.iter().zip(looked.by_ref()).collect());
    Ok(servers.iter().map(of).collect())
}

/// What a connection must be, as it is written.
fn wish(tls: &TlsWish) -> &'static str {
    match tls {
        TlsWish::May => "may",
        TlsWish::Encrypt => "encrypt",
        TlsWish::Dane => "dane",
        TlsWish::Verify(_) => "verify",
    }
}

/// The names of which a certificate must have one.
fn certificate(tls: &TlsWish) -> Vec<&str> {
    match tls {
        TlsWish::May | TlsWish::Encrypt | TlsWish::Dane => Vec::new(),
        TlsWish::Verify(names) => names.iter().map(CertificatePattern::as_str).collect(),
    }
}
