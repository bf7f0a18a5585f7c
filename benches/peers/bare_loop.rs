// SPDX-License-Identifier: GPL-3.0-or-later
//! A bare tokio loop on the milter wire: the ceiling that Postern's session loop is measured against.
//!
//! It reads packet lengths and command letters and nothing else. It gives the `O` answer it is told to give
//! (`--answer HEX`, as `load negotiate` prints it) and then answers `c` exactly where that negotiation wants an
//! answer; with `--header LINE` it also adds one header at the end of the message, in the same write.
//! Limits: packets up to 64 KiB, no deadlines, no drain, no policy. It ends with its process.
#![allow(missing_docs)]
#![allow(clippy::expect_used, clippy::panic)] // a bench program: what fails here ends the run

use clap::{CommandFactory, Parser, ValueEnum};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{env, fs, io, net::SocketAddr, os::unix::fs::PermissionsExt, sync::Arc, thread};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
    runtime::{Builder, Runtime},
};

/// Answers milter sessions as fast as a tokio loop can, deciding nothing.
#[derive(Parser)]
#[command(name = "bare_loop")]
struct Args {
    /// Where to listen: `inet:HOST:PORT` or `unix:PATH`.
    #[arg(long)]
    listen: String,
    /// The payload of the `O` answer in hex: version, actions, protocol, then macro lists.
    #[arg(long)]
    answer: String,
    /// A header to add at the end of each message, `Name: value`.
    #[arg(long)]
    header: Option<String>,
    /// One multi-thread runtime, or a current-thread runtime for each worker.
    #[arg(long, value_enum, default_value = "multi")]
    runtime: Flavour,
    /// Worker threads.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// When to set `TCP_QUICKACK`: before each read, after a read that gives no answer, or never.
    #[arg(long, value_enum, default_value = "read")]
    quickack: QuickAck,
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Flavour {
    Multi,
    Current,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum QuickAck {
    Read,
    Silent,
    Never,
}

/// What the negotiation settled: the bytes to send, by command letter.
struct Plan {
    negotiate: Vec<u8>,
    answered: [bool; 256],
    end: Vec<u8>,
    quickack: QuickAck,
}

const CONTINUE: [u8; 5] = [0, 0, 0, 1, b'c'];
/// The protocol bits that make a stage silent: the MTA does not send it, or does not wait.
const SILENT: [(u8, u32); 9] = [
    (b'C', 0x0000_1001),
    (b'H', 0x0000_2002),
    (b'M', 0x0000_4004),
    (b'R', 0x0000_8008),
    (b'B', 0x0008_0010),
    (b'L', 0x0000_00a0),
    (b'N', 0x0004_0040),
    (b'U', 0x0002_0100),
    (b'T', 0x0001_0200),
];
const MAX_PACKET: usize = 65_536;

impl Plan {
    fn new(args: &Args) -> Self {
        let payload = unhex(&args.answer).expect("--answer is hex");
        let protocol: [u8; 4] =
            payload.get(8..12).and_then(|b| b.try_into().ok()).expect("--answer: 12 bytes");
        let protocol = u32::from_be_bytes(protocol);
        let mut answered = [false; 256];
        for (letter, bits) in SILENT {
            answered[usize::from(letter)] = protocol & bits == 0;
        }
        answered[usize::from(b'E')] = true;
        let mut end = Vec::new();
        if let Some((name, value)) = args.header.as_deref().and_then(|line| line.split_once(':')) {
            let body = [b"h", name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat();
            packet(&mut end, &body);
        }
        end.extend_from_slice(&CONTINUE);
        let mut negotiate = Vec::new();
        packet(&mut negotiate, &[b"O", &payload[..]].concat());
        Self { negotiate, answered, end, quickack: args.quickack }
    }

    /// The answer that is due after `letter`, if one is.
    fn answer(&self, letter: u8) -> &[u8] {
        match letter {
            b'O' => &self.negotiate,
            b'E' => &self.end,
            _ if self.answered[usize::from(letter)] => &CONTINUE,
            _ => &[],
        }
    }
}

fn packet(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(&u32::try_from(body.len()).expect("a short packet").to_be_bytes());
    out.extend_from_slice(body);
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The two kinds of stream differ only here.
trait Wire: AsyncRead + AsyncWrite + Unpin {
    fn ack_now(&self) {}
}

impl Wire for TcpStream {
    fn ack_now(&self) {
        let _ = socket2::SockRef::from(self).set_tcp_quickack(true);
    }
}

impl Wire for tokio::net::UnixStream {}

async fn session(mut stream: impl Wire, plan: Arc<Plan>) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    let mut out = Vec::with_capacity(256);
    let mut filled = 0;
    loop {
        if plan.quickack == QuickAck::Read {
            stream.ack_now();
        }
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let mut at = 0;
        while let Some(head) = buffer[at..filled].first_chunk::<5>() {
            let [length @ .., letter] = *head;
            let length = u32::from_be_bytes(length) as usize;
            if length > MAX_PACKET {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if filled - at < 4 + length {
                break;
            }
            if letter == b'Q' {
                return Ok(());
            }
            out.extend_from_slice(plan.answer(letter));
            at += 4 + length;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        if filled == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        if out.is_empty() {
            if plan.quickack == QuickAck::Silent {
                stream.ack_now();
            }
        } else {
            stream.write_all(&out).await?;
            out.clear();
        }
    }
}

/// One worker's listening socket; TCP workers share the port, so the kernel spreads the connections.
fn listen(address: &str) -> io::Result<Socket> {
    let socket = if let Some(path) = address.strip_prefix("unix:") {
        let _ = fs::remove_file(path);
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        socket
    } else {
        let address = address.strip_prefix("inet:").unwrap_or(address);
        let address: SocketAddr = address.parse().map_err(|_| io::Error::other("inet:ADDRESS:PORT"))?;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket
    };
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

async fn serve(socket: Socket, unix: bool, plan: Arc<Plan>) -> io::Result<()> {
    if unix {
        let listener = UnixListener::from_std(socket.into())?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(session(stream, plan.clone()));
        }
    }
    let listener = TcpListener::from_std(socket.into())?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(session(stream, plan.clone()));
    }
}

fn run(runtime: &Runtime, socket: Socket, unix: bool, plan: &Arc<Plan>) {
    if let Err(error) = runtime.block_on(serve(socket, unix, plan.clone())) {
        panic!("accept: {error}");
    }
}

fn main() -> io::Result<()> {
    // What a plain `cargo test --all-targets` or `cargo bench --benches` asks: nothing.
    if env::args().skip(1).all(|argument| argument == "--bench") {
        return Args::command().print_help();
    }
    let args = Args::parse();
    let plan = Arc::new(Plan::new(&args));
    let unix = args.listen.starts_with("unix:");
    match args.runtime {
        Flavour::Multi => {
            let runtime = Builder::new_multi_thread().worker_threads(args.workers).enable_io().build()?;
            run(&runtime, listen(&args.listen)?, unix, &plan);
        }
        Flavour::Current => {
            let first = listen(&args.listen)?;
            let mut workers = Vec::new();
            for index in 0..args.workers {
                let socket = if unix || index == 0 { first.try_clone()? } else { listen(&args.listen)? };
                let plan = plan.clone();
                let runtime = Builder::new_current_thread().enable_io().build()?;
                workers.push(thread::spawn(move || run(&runtime, socket, unix, &plan)));
            }
            for worker in workers {
                worker.join().map_err(|_| io::Error::other("a worker ended"))?;
            }
        }
    }
    Ok(())
}
