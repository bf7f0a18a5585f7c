// SPDX-License-Identifier: GPL-3.0-or-later
//! Sockets to listen on: TCP, unix, or handed over by systemd under a name (`FileDescriptorName=`, `sd_listen_fds(3)`).
//!
//! A unix socket's path may be in the way: one that nobody listens on any more is replaced, one that answers is
//! another server's and refused, and what is no socket is never touched.

use super::{Peer, Stream};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener};

/// Connections that the kernel keeps waiting for us.
const BACKLOG: i32 = 1024;

/// Why a socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refused.
    #[error("cannot listen on {what}: {source}")]
    System {
        /// The socket.
        what: String,
        /// The system's word.
        source: io::Error,
    },
    /// Another server answers on the path.
    #[error("cannot listen on unix:{0}: another server is listening there")]
    Live(String),
    /// Something that is no socket has the path.
    #[error("cannot listen on unix:{0}: the path exists and is not a socket")]
    NotASocket(String),
    /// The group does not exist.
    #[error("cannot listen on unix:{path}: there is no group {group}")]
    NoGroup {
        /// The socket's path.
        path: String,
        /// The group's name.
        group: String,
    },
    /// systemd handed over no socket of this name.
    #[error(
        "cannot listen on systemd:{0}: systemd passed no socket of that name (FileDescriptorName= in the .socket unit)"
    )]
    NotPassed(String),
}

/// A socket that listens. Clones share it.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// A unix stream socket.
    Unix(UnixListener),
}

/// A socket that is bound and not yet tied to a runtime, so that each worker can have its own handle.
#[derive(Debug)]
pub enum BoundSocket {
    /// TCP: one for each worker, or one for all.
    Tcp(Vec<std::net::TcpListener>),
    /// A unix stream socket; the path is removed at the end when we made it.
    Unix(StdUnixListener, Option<PathBuf>),
}

impl Socket {
    /// Listens on a TCP address, with a socket for each worker: the kernel shares connections out among them
    /// (`SO_REUSEPORT`), and each arrival wakes one worker and not all.
    pub fn tcp(address: SocketAddr, workers: usize) -> Result<BoundSocket, BindError> {
        let bind = || {
            // Sockets that share a port do so with anyone who asks: whether the port is free is found out without.
            drop(listener(address, false)?);
            let first = listener(address, true)?;
            let address = first.local_addr()?;
            let others = (1..workers.max(1)).map(|_| listener(address, true));
            let all: io::Result<Vec<_>> = std::iter::once(Ok(first)).chain(others).collect();
            Ok(BoundSocket::Tcp(all?))
        };
        bind().map_err(|source| BindError::System { what: format!("inet:{address}"), source })
    }

    /// Listens on a unix socket with the given permission bits and group.
    pub fn unix(path: &Path, mode: u32, group: Option<&str>) -> Result<BoundSocket, BindError> {
        let shown = path.display().to_string();
        let failed = |source| BindError::System { what: format!("unix:{shown}"), source };
        let group = match group {
            None => None,
            Some(name) => match nix::unistd::Group::from_name(name) {
                Ok(Some(group)) => Some(group.gid.as_raw()),
                _ => return Err(BindError::NoGroup { path: shown.clone(), group: name.to_owned() }),
            },
        };
        make_way(path, &shown)?;
        // Made for the owner alone first: nobody can connect before the permissions stand.
        let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
        let bound = StdUnixListener::bind(path);
        nix::sys::stat::umask(before);
        let listener = bound.map_err(failed)?;
        let permit = || {
            if group.is_some() {
                std::os::unix::fs::chown(path, None, group)?;
            }
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            listener.set_nonblocking(true)
        };
        if let Err(error) = permit() {
            let _ = fs::remove_file(path);
            return Err(failed(error));
        }
        Ok(BoundSocket::Unix(listener, Some(path.to_owned())))
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, peer)| (Stream::tcp(stream), Peer::Tcp(peer)))
            }
            Self::Unix(listener) => {
                listener.accept().await.map(|(stream, _)| (Stream::Unix(stream), Peer::Unix))
            }
        }
    }
}

impl BoundSocket {
    /// A worker's handle, for the runtime that this is called in.
    pub fn attach(&self, worker: usize) -> io::Result<Socket> {
        match self {
            Self::Tcp(listeners) => {
                let listener =
                    listeners.get(worker % listeners.len().max(1)).ok_or(io::ErrorKind::NotFound)?;
                TcpListener::from_std(listener.try_clone()?).map(Socket::Tcp)
            }
            Self::Unix(listener, _) => UnixListener::from_std(listener.try_clone()?).map(Socket::Unix),
        }
    }

    /// Where it listens, as the configuration writes it.
    pub fn describe(&self) -> String {
        match self {
            Self::Tcp(listeners) => {
                let address = listeners.first().and_then(|listener| listener.local_addr().ok());
                address.map_or_else(|| "inet:?".into(), |a| format!("inet:{a}"))
            }
            Self::Unix(listener, _) => listener
                .local_addr()
                .ok()
                .and_then(|a| a.as_pathname().map(|path| format!("unix:{}", path.display())))
                .unwrap_or_else(|| "unix:?".into()),
        }
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        if let Self::Unix(_, Some(path)) = self {
            // A path that is gone already is what was wanted.
            let _ = fs::remove_file(path);
        }
    }
}

/// A socket that listens on a TCP address, alone or shared.
fn listener(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    // An earlier run's connections in TIME_WAIT must not keep a restarted server out.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Inherited by the connections that it accepts.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Clears a path that an earlier server left behind.
fn make_way(path: &Path, shown: &str) -> Result<(), BindError> {
    let system = |source| BindError::System { what: format!("unix:{shown}"), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(system(error)),
        Ok(found) if !found.file_type().is_socket() => Err(BindError::NotASocket(shown.to_owned())),
        Ok(_) => match StdUnixStream::connect(path) {
            Ok(_) => Err(BindError::Live(shown.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(system)
            }
            Err(error) => Err(system(error)),
        },
    }
}

/// Sockets that systemd handed over.
#[allow(missing_debug_implementations)] // `ListenFd` has none.
pub struct Inherited {
    fds: listenfd::ListenFd,
    names: Vec<String>,
}

impl Inherited {
    /// Takes over what systemd passed to this process; nothing when it passed nothing.
    pub fn take() -> Self {
        // The names are read first, because taking the sockets clears the environment that tells of them.
        let names = sd_notify::listen_fds_with_names()
            .map_or_else(|_| Vec::new(), |named| named.map(|(_, n)| n).collect());
        Self { fds: listenfd::ListenFd::from_env(), names }
    }

    /// The socket of a name, once.
    pub fn socket(&mut self, name: &str) -> Result<BoundSocket, BindError> {
        let missing = || BindError::NotPassed(name.to_owned());
        let at = self.names.iter().position(|known| known == name).ok_or_else(missing)?;
        let failed = |source| BindError::System { what: format!("systemd:{name}"), source };
        if let Ok(Some(listener)) = self.fds.take_unix_listener(at) {
            listener.set_nonblocking(true).map_err(failed)?;
            return Ok(BoundSocket::Unix(listener, None));
        }
        match self.fds.take_tcp_listener(at) {
            Ok(Some(listener)) => {
                listener.set_nonblocking(true).map_err(failed)?;
                socket2::SockRef::from(&listener).set_tcp_nodelay(true).map_err(failed)?;
                Ok(BoundSocket::Tcp(vec![listener]))
            }
            Ok(None) => Err(missing()),
            Err(source) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("postern-socket-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = scratch("stale");
        let path = dir.join("s");
        drop(StdUnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let bound = Socket::unix(&path, 0o660, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(matches!(Socket::unix(&path, 0o660, None), Err(BindError::Live(_))));
        drop(bound);
        assert!(!path.exists());
        fs::write(&path, "x").unwrap();
        assert!(matches!(Socket::unix(&path, 0o660, None), Err(BindError::NotASocket(_))));
        assert!(matches!(
            Socket::unix(&dir.join("t"), 0o660, Some("no-such-group")),
            Err(BindError::NoGroup { .. })
        ));
        assert!(matches!(Socket::unix(&dir.join("none/t"), 0o660, None), Err(BindError::System { .. })));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_taken_port_is_refused() {
        let first = Socket::tcp("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let BoundSocket::Tcp(listeners) = &first else { panic!("a TCP socket") };
        assert_eq!(listeners.len(), 2);
        let address = listeners[0].local_addr().unwrap();
        assert_eq!(listeners[1].local_addr().unwrap(), address);
        let again = Socket::tcp(address, 2);
        assert!(matches!(&again, Err(BindError::System { .. })), "{again:?}");
        drop(first);
        assert!(Socket::tcp(address, 1).is_ok());
    }
}
