// SPDX-License-Identifier: GPL-3.0-or-later
//! A milter that answers what a test wants it to, on a unix socket.

use crate::common::dir::TestDir;
use indymilter::message::command::{CommandKind, MacroPayload};
use indymilter::message::reply::Reply;
use indymilter::message::{self, Message};
use indymilter::{Actions, MacroStage, ProtoOpts};
use std::collections::{BTreeMap, HashMap};
use std::os::unix::net::{UnixListener, UnixStream};
use tokio::io::AsyncWriteExt;

/// What it says.
pub(crate) enum Say {
    /// A reply of the protocol.
    Reply(Reply),
    /// These octets.
    Octets(&'static [u8]),
    /// Nothing more: it hangs up.
    Close,
}

/// A session as the milter has seen it.
#[derive(Default)]
pub(crate) struct Seen {
    /// How many packets of the last kind there were, the last one included.
    pub(crate) count: usize,
    /// The last packet.
    pub(crate) packet: Vec<u8>,
    /// The macros of each stage.
    pub(crate) macros: BTreeMap<&'static str, BTreeMap<String, String>>,
}

/// Starts it, for as many sessions as the test likes; its path is `name` in the directory.
pub(crate) fn milter(
    dir: &TestDir,
    name: &str,
    script: impl Fn(CommandKind, &Seen) -> Vec<Say> + Send + 'static,
) -> String {
    let path = dir.join(name);
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for stream in listener.incoming() {
            runtime.block_on(session(stream.unwrap(), &script));
        }
    });
    format!("unix:{}", path.display())
}

async fn session(stream: UnixStream, script: &impl Fn(CommandKind, &Seen) -> Vec<Say>) {
    stream.set_nonblocking(true).unwrap();
    let mut stream = tokio::net::UnixStream::from_std(stream).unwrap();
    let mut counts: HashMap<CommandKind, usize> = HashMap::new();
    let mut seen = Seen::default();
    while let Ok(Message { kind, buffer }) = message::read(&mut stream).await {
        let kind = CommandKind::try_from(kind).unwrap();
        if let CommandKind::DefMacros = kind {
            // A packet without macros is no payload to the codec.
            let Ok(MacroPayload { stage, macros }) = MacroPayload::parse_buffer(buffer) else { continue };
            let text = |at: usize| macros[at].to_string_lossy().into_owned();
            let pairs = (0..macros.len() / 2).map(|at| (text(2 * at), text(2 * at + 1)));
            seen.macros.insert(stage_name(stage), pairs.collect());
            continue;
        }
        let count = counts.entry(kind).or_default();
        *count += 1;
        seen.count = *count;
        seen.packet = buffer.to_vec();
        for say in script(kind, &seen) {
            match say {
                Say::Reply(reply) => message::write(&mut stream, reply.into_message()).await.unwrap(),
                Say::Octets(octets) => stream.write_all(octets).await.unwrap(),
                Say::Close => return,
            }
        }
    }
}

fn stage_name(stage: MacroStage) -> &'static str {
    match stage {
        MacroStage::Connect => "1 connect",
        MacroStage::Helo => "2 helo",
        MacroStage::Mail => "3 mail",
        MacroStage::Rcpt => "4 rcpt",
        MacroStage::Data => "5 data",
        MacroStage::Eoh => "6 end of headers",
        MacroStage::Eom => "7 end of message",
    }
}

/// A milter that is asked about everything and lets everything pass, but for what `other` says.
pub(crate) fn all_but(
    other: impl Fn(CommandKind, &Seen) -> Option<Reply> + Send + 'static,
) -> impl Fn(CommandKind, &Seen) -> Vec<Say> + Send + 'static {
    move |kind, seen| match (other(kind, seen), kind) {
        (Some(reply), _) => vec![Say::Reply(reply)],
        (None, CommandKind::OptNeg) => vec![Say::Reply(agreement(ProtoOpts::empty()))],
        (None, CommandKind::Abort | CommandKind::Quit) => vec![],
        (None, _) => vec![Say::Reply(Reply::Continue)],
    }
}

/// A negotiation with all actions and these options.
pub(crate) fn agreement(opts: ProtoOpts) -> Reply {
    Reply::OptNeg { version: 6, actions: Actions::all(), opts, macros: HashMap::new() }
}
