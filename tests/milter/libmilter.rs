// SPDX-License-Identifier: GPL-3.0-or-later
//! Packets in every order are answered as libmilter answers them. A milter on libmilter (`reference.c`, built here) and
//! the door get the same packets; their answers must be the same letters in the same order, but for the freedoms that
//! `src/milter/session.rs` takes.

use crate::support::{Door, policy};
use indymilter::message::{self, Message};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Duration, timeout};

struct Reference {
    child: Child,
    dir: PathBuf,
}

impl Reference {
    fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("postern-libmilter-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/milter/reference.c");
        let built = Command::new("cc")
            .arg("-o")
            .arg(dir.join("reference"))
            .arg(source)
            .args(["-lmilter", "-lpthread"])
            .output()
            .expect("a C compiler: install gcc and libc6-dev, or run tests/install.sh");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(
            built.status.success(),
            "the reference milter does not build; install libmilter-dev, or run tests/install.sh\n{said}"
        );
        let mut child = Command::new(dir.join("reference"))
            .arg(format!("unix:{}", dir.join("socket").display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { child, dir }
    }

    /// libmilter listens after it has said that it is ready.
    async fn connect(&self) -> UnixStream {
        let path = self.dir.join("socket");
        let connected = async {
            loop {
                match UnixStream::connect(&path).await {
                    Ok(stream) => return stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        timeout(Duration::from_secs(20), connected).await.expect("the reference milter listens")
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn packet(letter: char) -> Message {
    let payload: &[u8] = match letter {
        'C' => b"client.example\x004\x12\x67192.0.2.9\0",
        'H' | 'U' => b"client.example\0",
        'M' => b"<ann@elsewhere.example>\0",
        'R' => b"<bob@elsewhere.example>\0",
        'L' => b"Subject\0 x\0",
        'B' => b"body\r\n",
        _ => b"",
    };
    Message::new(letter as u8, payload)
}

/// Negotiates without any option, sends the packets, a HELO that is always answered, and goodbye: all answers' letters.
async fn answers<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, letters: &str) -> String {
    let mut octets = Vec::new();
    let negotiation = [6u32.to_be_bytes(), 0x1ffu32.to_be_bytes(), 0u32.to_be_bytes()].concat();
    message::write(&mut octets, Message::new(b'O', negotiation)).await.unwrap();
    for letter in letters.chars().chain(['H', 'Q']) {
        message::write(&mut octets, packet(letter)).await.unwrap();
    }
    stream.write_all(&octets).await.unwrap();
    let mut got = String::new();
    let all = async {
        while let Ok(answer) = message::read(&mut stream).await {
            got.push(char::from(answer.kind));
        }
    };
    timeout(Duration::from_secs(30), all).await.expect("an end");
    got
}

/// Where Postern is meant to differ; all of it is in orders that Postfix and Sendmail do not send, but for the first.
fn is_a_freedom(letters: &str) -> bool {
    let pairs = |letters: &str, wanted: fn(char, char) -> bool| {
        letters.chars().zip(letters.chars().skip(1)).any(|(one, next)| wanted(one, next))
    };
    // A recipient after DATA, a body or an end right after DATA or headers: libmilter takes these as the end of the
    // message and does not answer.
    let spoken = letters.replace('U', "");
    pairs(&spoken, |one, next| matches!((one, next), ('T', 'R' | 'B' | 'E') | ('L', 'B' | 'E')))
        // An unknown command changes nothing; libmilter forgets by it where the session was.
        || pairs(letters, |one, next| one == 'U' && !matches!(next, 'H' | 'M' | 'U' | 'A' | 'K'))
        // A connection after an abort before it, or after a goodbye that announced it, is answered.
        || pairs(letters, |one, next| matches!((one, next), ('A' | 'K', 'C')))
}

#[tokio::test]
async fn every_order_is_answered_as_libmilter_answers_it() {
    let reference = Reference::start();
    let door = Door::new(policy());
    let commands = ["C", "H", "M", "R", "T", "L", "N", "B", "E", "A", "U", "K"];
    let mut orders = Vec::new();
    for prefix in ["", "C", "CH", "CHM", "CHMR", "CHMRT", "CHMRTL", "CHMRTLN", "CHMRTLNB", "CHMRTLNBE"] {
        for one in commands {
            for other in commands {
                orders.push(format!("{prefix}{one}{other}"));
            }
        }
    }
    let (mut wrong, mut freedoms) = (Vec::new(), 0);
    for order in &orders {
        let want = answers(reference.connect().await, order).await;
        let got = answers(door.connect().0, order).await;
        if got != want {
            if is_a_freedom(order) {
                freedoms += 1;
            } else {
                wrong.push(format!("{order}: libmilter {want}, Postern {got}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), orders.len(), wrong.join("\n"));
    assert!(freedoms > 0, "the freedoms are used");
}
