// SPDX-License-Identifier: GPL-3.0-or-later
//! A Postfix's configuration as Postfix itself sees it: asked of `postconf`, so that continued lines, `$name` and defaults are
//! Postfix's own business. Nothing is changed, and Postfix need not run.

use super::super::child;
use super::list::elements;
use super::version::Version;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;

/// How a Postfix is configured.
#[derive(Debug)]
pub(super) struct Running {
    directory: Option<PathBuf>,
    main: HashMap<String, String>,
    pub(super) services: Vec<Service>,
}

/// A service of master.cf.
#[derive(Debug)]
pub(super) struct Service {
    /// `smtp`, or `[::1]:2525`.
    pub(super) name: String,
    /// `inet`, `unix`, `pass`.
    pub(super) kind: String,
    /// Whether it runs in a chroot; nothing where that is the default.
    chroot: Option<bool>,
    /// How many processes at most, 0 for any number; nothing where that is the default.
    processes: Option<usize>,
    pub(super) program: String,
    /// What `-o` sets for it alone.
    own: HashMap<String, String>,
}

/// What a table says of a key.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Looked {
    Found(String),
    NotFound,
    /// It cannot be asked.
    Unknown,
}

impl Running {
    /// Asks for the configuration in a directory, or in Postfix's own.
    pub(super) fn read(directory: Option<&Path>) -> io::Result<Self> {
        let main = postconf(directory, &["-x"])?;
        let services = postconf(directory, &["-M"])?;
        let own = postconf(directory, &["-P", "-x"])?;
        let mut running = Self {
            directory: directory.map(Path::to_owned),
            main: settings(&main).map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            services: services.lines().filter_map(service).collect(),
        };
        for (place, value) in settings(&own) {
            // The name of a service may have slashes in it, the others have none.
            let mut parts = place.rsplitn(3, '/');
            let (Some(name), Some(kind), Some(service)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let found = running.services.iter_mut().find(|known| known.name == service && known.kind == kind);
            if let Some(found) = found {
                found.own.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(running)
    }

    /// What a parameter of main.cf is; nothing where Postfix has none of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.main.get(name).map(String::as_str)
    }

    /// What it is; empty where Postfix has none of this name.
    pub(super) fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// What a parameter is for one service.
    pub(super) fn of<'a>(&'a self, service: &'a Service, name: &str) -> &'a str {
        service.own.get(name).map_or_else(|| self.value(name), String::as_str)
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.get("mail_version")?.parse().ok()
    }

    /// Which directory it is, for a report.
    pub(super) fn place(&self) -> String {
        let of_postfix = || self.get("config_directory").unwrap_or("/etc/postfix").to_owned();
        self.directory.as_ref().map_or_else(of_postfix, |directory| directory.display().to_string())
    }

    pub(super) fn queue(&self) -> PathBuf {
        self.get("queue_directory").unwrap_or("/var/spool/postfix").into()
    }

    /// Whether a service runs in a chroot.
    pub(super) fn in_chroot(&self, service: &Service) -> bool {
        // The default has been no since 3.0, where compatibility_level says that its changes are wanted.
        let modern = || self.get("compatibility_level").is_some_and(|level| !matches!(level, "0" | ""));
        service.chroot.unwrap_or_else(|| !modern())
    }

    /// How many processes of it there are at most; nothing for any number.
    pub(super) fn processes(&self, service: &Service) -> Option<usize> {
        let by_default =
            || self.get("default_process_limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
        match service.processes {
            Some(0) => None,
            Some(limit) => Some(limit),
            None => Some(by_default()),
        }
    }

    /// Asks a table of Postfix's.
    pub(super) fn look_up(&self, table: &str, key: &str) -> Looked {
        let mut arguments: Vec<&OsStr> = Vec::new();
        if let Some(directory) = &self.directory {
            arguments.extend([OsStr::new("-c"), directory.as_os_str()]);
        }
        arguments.extend(["-q", key, table].map(OsStr::new));
        match child::run("postmap", &arguments) {
            Ok(Output { status, stdout, stderr: _ }) if status.success() => {
                Looked::Found(String::from_utf8_lossy(&stdout).trim_end().to_owned())
            }
            Ok(Output { stderr, .. }) if stderr.is_empty() => Looked::NotFound,
            Ok(_) | Err(_) => Looked::Unknown,
        }
    }
}

/// Which Postfix it is, and where its queue is: the one with its configuration in a directory, or the one that is installed
/// here.
pub(super) fn installed(directory: Option<&Path>) -> io::Result<(Option<Version>, PathBuf)> {
    let said = postconf(directory, &["-h", "-x", "mail_version", "queue_directory"]);
    // A Postfix that was never configured still knows what it is.
    let said = said.or_else(|error| match directory {
        Some(_) => Err(error),
        None => postconf(None, &["-d", "-h", "mail_version", "queue_directory"]),
    })?;
    let mut lines = said.lines().map(str::trim);
    let version = lines.next().and_then(|version| version.parse().ok());
    Ok((version, lines.next().unwrap_or_default().into()))
}

fn postconf(directory: Option<&Path>, arguments: &[&str]) -> io::Result<String> {
    let mut all: Vec<&OsStr> = Vec::new();
    if let Some(directory) = directory {
        all.extend([OsStr::new("-c"), directory.as_os_str()]);
    }
    all.extend(arguments.iter().map(OsStr::new));
    let Output { status, stdout, stderr } = child::run("postconf", &all)?;
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr);
        let last = said.lines().last().unwrap_or("it failed").to_owned();
        return Err(io::Error::other(last));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// Lines `name = value`; `postconf` has joined those that were continued.
fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        Some((name.trim(), value.trim()))
    })
}

/// A line of `postconf -M`: name, type, private, unprivileged, chroot, wake-up time, processes, program, arguments.
fn service(line: &str) -> Option<Service> {
    let mut words = elements(line).into_iter();
    let (name, kind) = (words.next()?, words.next()?);
    let mut words = words.skip(2);
    let chroot = match words.next()? {
        "y" => Some(true),
        "n" => Some(false),
        _ => None,
    };
    let mut words = words.skip(1);
    let (processes, program) = (words.next()?.parse().ok(), words.next()?.to_owned());
    Some(Service {
        name: name.to_owned(),
        kind: kind.to_owned(),
        chroot,
        processes,
        program,
        own: HashMap::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read() {
        let read = service("[::1]:2525 inet  n  -  y  -  20  smtpd -v -o {a=b, c}").unwrap();
        assert_eq!((read.name.as_str(), read.kind.as_str()), ("[::1]:2525", "inet"));
        assert_eq!((read.chroot, read.processes, read.program.as_str()), (Some(true), Some(20), "smtpd"));
        let read = service("smtpd pass - - - - - smtpd").unwrap();
        assert_eq!((read.chroot, read.processes), (None, None));
        assert!(service("smtp inet n -").is_none());
    }
}
