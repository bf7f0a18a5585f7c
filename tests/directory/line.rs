// SPDX-License-Identifier: GPL-3.0-or-later
//! A line between a source and its server that can be cut in the middle of an answer.
//!
//! Every connection passes through it unread. It counts what the server says on each, so that a test can cut a later answer
//! at a part of its length, whatever the protocol and its encryption.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What is done to the server when the line is cut.
pub(crate) type Deed = Box<dyn FnOnce() + Send>;

/// A line to one server.
pub(crate) struct Line {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The most octets that came on one connection.
    most: usize,
    /// After how many octets of a connection it is cut, every time.
    cut: Option<usize>,
    /// What is done when it is cut for the first time.
    deed: Option<Deed>,
}

impl Line {
    /// A line to this server, whether it is there or not. It ends with the test's process.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, state) = (client.unwrap(), Arc::clone(&shared));
                // A server that is not there is heard of by the end of the connection.
                let Ok(server) = TcpStream::connect(server) else { continue };
                std::thread::spawn(move || pass(&client, &server, &state));
            }
        });
        Self { address, state }
    }

    /// Where it is to be called.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it is cut at three quarters of the longest answer so far, and at the first time something is done.
    pub(crate) fn cut(&self, deed: Option<Deed>) {
        let mut state = self.state.lock().unwrap();
        assert!(state.most > 0, "nothing has come yet that could be cut");
        (state.cut, state.deed) = (Some(state.most / 4 * 3), deed);
    }

    /// From now on everything passes.
    pub(crate) fn mend(&self) {
        let mut state = self.state.lock().unwrap();
        (state.cut, state.deed) = (None, None);
    }
}

/// Passes everything on until one side ends or it is cut.
fn pass(client: &TcpStream, server: &TcpStream, state: &Mutex<State>) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        drop(std::io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Write));
    });
    let (mut client, mut server) = (client, server);
    let (mut passed, mut buffer) = (0, [0; 4096]);
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        let mut left = read;
        {
            let mut state = state.lock().unwrap();
            if let Some(cut) = state.cut
                && passed + read >= cut
            {
                left = cut - passed;
                if let Some(deed) = state.deed.take() {
                    deed();
                }
            }
            state.most = state.most.max(passed + left);
        }
        passed += left;
        if client.write_all(&buffer[..left]).is_err() || left < read {
            break;
        }
    }
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}
