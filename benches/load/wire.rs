// SPDX-License-Identifier: GPL-3.0-or-later
//! The MTA's half of the milter wire: what Postfix 3.7 offers, and what the milter made of the offer.
//!
//! Packets are appended to byte buffers by hand: this program shares the machine with what it measures.
//! Limits: protocol version 6; a list of macros may name any, those that Postfix does not define are left out.

use indymilter::{Actions, MacroStage, ProtoOpts};

/// What Postfix 3.7 offers (seen on the wire): version 6, all nine actions, all options up to leading space.
pub(crate) const OFFER_VERSION: u32 = 6;
pub(crate) const OFFER_ACTIONS: u32 = 0x1ff;
pub(crate) const OFFER_PROTOCOL: u32 = 0x001f_ffff;

/// A command of one message, in the order that Postfix sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connect,
    Helo,
    Mail,
    Rcpt,
    Data,
    Header,
    Eoh,
    Body,
    Eom,
}

impl Stage {
    pub(crate) const ALL: [Self; 9] = [
        Self::Connect,
        Self::Helo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Header,
        Self::Eoh,
        Self::Body,
        Self::Eom,
    ];

    pub(crate) const fn letter(self) -> u8 {
        match self {
            Self::Connect => b'C',
            Self::Helo => b'H',
            Self::Mail => b'M',
            Self::Rcpt => b'R',
            Self::Data => b'T',
            Self::Header => b'L',
            Self::Eoh => b'N',
            Self::Body => b'B',
            Self::Eom => b'E',
        }
    }

    /// The option that keeps the command from being sent, and the one that makes it go unanswered.
    const fn options(self) -> (ProtoOpts, ProtoOpts) {
        match self {
            Self::Connect => (ProtoOpts::NO_CONNECT, ProtoOpts::NOREPLY_CONNECT),
            Self::Helo => (ProtoOpts::NO_HELO, ProtoOpts::NOREPLY_HELO),
            Self::Mail => (ProtoOpts::NO_MAIL, ProtoOpts::NOREPLY_MAIL),
            Self::Rcpt => (ProtoOpts::NO_RCPT, ProtoOpts::NOREPLY_RCPT),
            Self::Data => (ProtoOpts::NO_DATA, ProtoOpts::NOREPLY_DATA),
            Self::Header => (ProtoOpts::NO_HEADER, ProtoOpts::NOREPLY_HEADER),
            Self::Eoh => (ProtoOpts::NO_EOH, ProtoOpts::NOREPLY_EOH),
            Self::Body => (ProtoOpts::NO_BODY, ProtoOpts::NOREPLY_BODY),
            Self::Eom => (ProtoOpts::empty(), ProtoOpts::empty()),
        }
    }

    /// Whose macro list goes with the command: Postfix sends the end-of-headers list with each header and
    /// the end-of-message list with each piece of the body.
    const fn macro_stage(self) -> MacroStage {
        match self {
            Self::Connect => MacroStage::Connect,
            Self::Helo => MacroStage::Helo,
            Self::Mail => MacroStage::Mail,
            Self::Rcpt => MacroStage::Rcpt,
            Self::Data => MacroStage::Data,
            Self::Header | Self::Eoh => MacroStage::Eoh,
            Self::Body | Self::Eom => MacroStage::Eom,
        }
    }
}

/// A macro's value: the same in every message, or this message's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Fixed(&'static str),
    QueueId,
    ClientAddr,
    Client,
    Sender,
    Recipient,
}

/// The macros that Postfix defines for a plain-text session of an unnamed client.
const MACROS: [(&str, Value); 18] = [
    ("i", Value::QueueId),
    ("j", Value::Fixed("mx.example.net")),
    ("v", Value::Fixed("Postfix 3.7.11")),
    ("_", Value::Client),
    ("{client_addr}", Value::ClientAddr),
    ("{client_name}", Value::Fixed("unknown")),
    ("{client_port}", Value::Fixed("41822")),
    ("{client_ptr}", Value::Fixed("unknown")),
    ("{client_resolve}", Value::Fixed("FAIL")),
    ("{daemon_addr}", Value::Fixed("192.0.2.25")),
    ("{daemon_name}", Value::Fixed("mx.example.net")),
    ("{daemon_port}", Value::Fixed("25")),
    ("{mail_addr}", Value::Sender),
    ("{mail_host}", Value::Fixed("[127.0.0.1]:2600")),
    ("{mail_mailer}", Value::Fixed("smtp")),
    ("{rcpt_addr}", Value::Recipient),
    ("{rcpt_host}", Value::Fixed("[127.0.0.1]:2600")),
    ("{rcpt_mailer}", Value::Fixed("relay")),
];

const fn default_macros(stage: MacroStage) -> &'static str {
    match stage {
        MacroStage::Connect => "j {daemon_name} {daemon_addr} v _",
        MacroStage::Helo => "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
        MacroStage::Mail => "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
        MacroStage::Rcpt => "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
        MacroStage::Data | MacroStage::Eom | MacroStage::Eoh => "i",
    }
}

/// What becomes of one command under the negotiation.
#[derive(Clone, Debug)]
pub(crate) struct Treatment {
    pub(crate) stage: Stage,
    pub(crate) sent: bool,
    pub(crate) answered: bool,
    pub(crate) macros: Vec<(&'static str, Value)>,
}

/// The outcome of the negotiation.
#[derive(Clone, Debug)]
pub(crate) struct Negotiated {
    /// The payload of the milter's `O` packet, as received.
    pub(crate) payload: Vec<u8>,
    pub(crate) leading_space: bool,
    stages: [Treatment; 9],
}

impl Negotiated {
    /// Reads the payload of the milter's `O` packet as Postfix does; what Postfix would refuse is an error.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, String> {
        let mut fields = payload.chunks_exact(4).map(|f| u32::from_be_bytes([f[0], f[1], f[2], f[3]]));
        let (Some(version), Some(actions), Some(protocol)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(format!("negotiation answer of {} bytes", payload.len()));
        };
        if version > OFFER_VERSION || actions & !OFFER_ACTIONS != 0 {
            return Err(format!("Postfix refuses this milter: version {version}, actions {actions:#x}"));
        }
        let protocol = ProtoOpts::from_bits_truncate(protocol);
        let asked = if Actions::from_bits_truncate(actions).contains(Actions::REQUEST_MACROS) {
            macro_lists(&payload[12..])?
        } else {
            Vec::new()
        };
        let stages = Stage::ALL.map(|stage| {
            let (omit, silent) = stage.options();
            let sent = omit.is_empty() || !protocol.contains(omit);
            let list = stage.macro_stage();
            let number = i32::from(list);
            let names = asked.iter().rev().find(|(stage, _)| *stage == number);
            let names = names.map_or_else(|| default_macros(list), |(_, names)| names);
            Treatment {
                stage,
                sent,
                answered: sent && (silent.is_empty() || !protocol.contains(silent)),
                macros: names.split([' ', ',']).filter_map(known_macro).collect(),
            }
        });
        let leading_space = protocol.contains(ProtoOpts::LEADING_SPACE);
        Ok(Self { payload: payload.to_vec(), leading_space, stages })
    }

    pub(crate) const fn stage(&self, stage: Stage) -> &Treatment {
        &self.stages[stage as usize]
    }
}

fn known_macro(name: &str) -> Option<(&'static str, Value)> {
    MACROS.iter().find(|(known, _)| *known == name).copied()
}

/// The lists of a SETSYMLIST request: a stage number, then names in one NUL-terminated string, repeated.
fn macro_lists(mut rest: &[u8]) -> Result<Vec<(i32, &str)>, String> {
    let mut lists = Vec::new();
    while let Some((number, tail)) = rest.split_first_chunk::<4>() {
        let end = tail.iter().position(|&b| b == 0).ok_or("macro list without a final NUL")?;
        let names = std::str::from_utf8(&tail[..end]).map_err(|e| e.to_string())?;
        lists.push((i32::from_be_bytes(*number), names));
        rest = &tail[end + 1..];
    }
    Ok(lists)
}

/// Appends one packet: its letter, then the parts of its payload.
pub(crate) fn packet(out: &mut Vec<u8>, letter: u8, parts: &[&[u8]]) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, letter]);
    for part in parts {
        out.extend_from_slice(part);
    }
    finish(out, start);
}

/// Writes the length of the packet that began at `start` and ends here.
pub(crate) fn finish(out: &mut [u8], start: usize) {
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

pub(crate) fn offer(out: &mut Vec<u8>) {
    let fields = [OFFER_VERSION, OFFER_ACTIONS, OFFER_PROTOCOL].map(u32::to_be_bytes);
    packet(out, b'O', &[&fields[0], &fields[1], &fields[2]]);
}

/// The first whole packet of `bytes`: its letter, payload and total length.
pub(crate) fn first_packet(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (&letter, payload) = rest.get(..length)?.split_first()?;
    Some((letter, payload, 4 + length))
}
