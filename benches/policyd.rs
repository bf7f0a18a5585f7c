// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks policy servers as Postfix does, and is the bare tokio loop that they are measured against.
//!
//! `ask` keeps a number of connections, each with one request in flight, for some seconds, and prints answers a second. Of
//! ten requests eight come from the gateway for a recipient that exists, one for one that does not, and one is a stranger's;
//! each has an `instance` of its own. `--check` holds each answer against that. `bare` reads to each empty line and
//! answers DUNNO to everything. Limits: requests up to 4 KiB, no deadlines. It ends with its process.
#![allow(missing_docs)]
#![allow(clippy::expect_used, clippy::panic)] // a bench program: what fails here ends the run

use clap::{Parser, Subcommand};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{cell::Cell, thread};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

#[derive(Parser)]
#[command(name = "policyd")]
struct Args {
    #[command(subcommand)]
    command: Command,
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Asks.
    Ask {
        #[arg(long)]
        to: SocketAddr,
        #[arg(long, default_value_t = 50)]
        connections: usize,
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// Whether answers are held against what they must be.
        #[arg(long)]
        check: bool,
    },
    /// Answers DUNNO to everything.
    Bare {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long, default_value_t = 2)]
        workers: usize,
    },
    /// Prints a port that is free now.
    FreePort,
}

fn main() {
    match Args::parse().command {
        Command::Ask { to, connections, seconds, check } => {
            println!("{:.0}", ask(to, connections, Duration::from_secs_f64(seconds), check));
        }
        Command::Bare { listen, workers } => bare(listen, workers),
        Command::FreePort => {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            println!("{}", listener.local_addr().expect("its address").port());
        }
    }
}

/// What a request is about, and how the answer to it begins.
fn question(number: u64) -> (&'static str, String, &'static str) {
    match number % 10 {
        8 => ("192.0.2.9", format!("nobody{}@bench.example", number % 1000), "action=550 5.1.1 "),
        9 => ("198.51.100.1", format!("user{}@bench.example", number % 8), "action=550 5.7.1 "),
        known => ("192.0.2.9", format!("user{known}@bench.example"), "action=DUNNO\n"),
    }
}

fn request(connection: usize, number: u64) -> (String, &'static str) {
    let (client, recipient, answer) = question(number);
    let text = format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address={client}\n\
         client_name=mx.sender.example\nclient_port={}\nreverse_client_name=mx.sender.example\n\
         server_address=192.0.2.25\nserver_port=25\nhelo_name=mx.sender.example\nsender=someone@sender.example\n\
         recipient={recipient}\nrecipient_count=0\nqueue_id=\ninstance={connection:x}.6b01d60d.{connection:x}.{number}\n\
         size=2000\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\n\
         ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n\
         encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=\n\n",
        10_000 + connection
    );
    (text, answer)
}

/// Answers a second.
fn ask(to: SocketAddr, connections: usize, time: Duration, check: bool) -> f64 {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answered = Rc::new(Cell::new(0_u64));
    let local = LocalSet::new();
    let counted = Rc::clone(&answered);
    let took = runtime.block_on(local.run_until(async move {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(to).await.expect("a connection");
            stream.set_nodelay(true).expect("TCP_NODELAY");
            streams.push(stream);
        }
        let began = Instant::now();
        let all: Vec<_> = streams
            .into_iter()
            .enumerate()
            .map(|(connection, mut stream)| {
                let counted = Rc::clone(&counted);
                tokio::task::spawn_local(async move {
                    let mut heard = [0_u8; 1024];
                    for number in 0_u64.. {
                        if began.elapsed() >= time {
                            break;
                        }
                        let (text, want) = request(connection, number);
                        stream.write_all(text.as_bytes()).await.expect("a request is written");
                        let mut length = 0;
                        while !heard[..length].ends_with(b"\n\n") {
                            let read = stream.read(&mut heard[length..]).await.expect("an answer");
                            assert!(read > 0, "the server hung up");
                            length += read;
                        }
                        let right = heard.starts_with(want.as_bytes());
                        assert!(right || !check, "{}: {text}", heard[..length].escape_ascii());
                        counted.set(counted.get() + 1);
                    }
                })
            })
            .collect();
        for one in all {
            one.await.expect("a connection's questions");
        }
        began.elapsed()
    }));
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let answered = answered.get() as f64;
    answered / took.as_secs_f64()
}

/// One single-threaded runtime for each worker, as Postern has.
fn bare(listen: SocketAddr, workers: usize) {
    let serve = move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let socket = Socket::new(Domain::for_address(listen), Type::STREAM, None).expect("a socket");
            socket.set_reuse_address(true).expect("SO_REUSEADDR");
            socket.set_reuse_port(true).expect("SO_REUSEPORT");
            socket.set_tcp_nodelay(true).expect("TCP_NODELAY");
            socket.set_nonblocking(true).expect("a socket that does not block");
            socket.bind(&listen.into()).expect("the address");
            socket.listen(1024).expect("a listener");
            let listener = TcpListener::from_std(socket.into()).expect("a listener of tokio's");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    };
    let workers: Vec<_> = (0..workers).map(|_| thread::spawn(serve)).collect();
    for worker in workers {
        worker.join().expect("a worker");
    }
}

async fn answer(mut stream: TcpStream) {
    let mut heard = [0_u8; 4096];
    let mut length = 0;
    loop {
        match stream.read(&mut heard[length..]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => length += read,
        }
        if heard[..length].ends_with(b"\n\n") {
            length = 0;
            if stream.write_all(b"action=DUNNO\n\n").await.is_err() {
                return;
            }
        }
    }
}
