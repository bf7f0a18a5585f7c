// SPDX-License-Identifier: GPL-3.0-or-later
//! Addresses for servers, so that tests in parallel never meet.
//!
//! Each server gets a loopback address of its own, made of this process's id and a counter, and may use
//! any port there. There is only one IPv6 loopback address, so an IPv6 server gets a port of its own; and so
//! does a server that takes no address but an interface's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

static TAKEN: AtomicU16 = AtomicU16::new(0);

/// An IPv4 loopback address that no other test uses, with this port.
pub(crate) fn own_address(port: u16) -> SocketAddr {
    let number = TAKEN.fetch_add(1, Ordering::Relaxed);
    let [block, number] = [number / 255, number % 255 + 1].map(|part| u8::try_from(part).expect("a byte"));
    assert!(block < 3, "at most 765 servers in a test process");
    let [.., high, low] = std::process::id().to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 64 * (block + 1) + (high & 63), low, number)), port)
}

/// A free port on `::1`, below the range from which clients get theirs. Each process looks among twenty of
/// its own first.
pub(crate) fn own_address6() -> SocketAddr {
    free_port(IpAddr::V6(Ipv6Addr::LOCALHOST))
}

/// A free port on 127.0.0.1, over UDP and TCP, for a server that takes no address but an interface's own.
pub(crate) fn own_port() -> SocketAddr {
    free_port(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn free_port(ip: IpAddr) -> SocketAddr {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1_000).expect("less than 1000") * 20;
    loop {
        let port = 10_000 + (first + TRIED.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let address = SocketAddr::new(ip, port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}
