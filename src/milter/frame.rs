// SPDX-License-Identifier: GPL-3.0-or-later
//! Packets as octets: a length (four octets, most significant first, counting what follows), a letter, a payload.
//!
//! Packets are looked at where they were read, without copying. What is in them is the codec's, `indymilter::message`.

use super::session::Garbage;
use indymilter::message::Message;

/// Longest packet taken: the codec's own cap. Postfix and Sendmail stay below 64 KiB and some.
const MAX_LENGTH: usize = 1 << 20;
/// Octets of a length.
const HEAD: usize = 4;

/// The length of the packet that has begun, once it is known.
fn length(heard: &[u8]) -> Result<Option<usize>, Garbage> {
    let Some(first) = heard.first_chunk::<HEAD>() else { return Ok(None) };
    match u32::from_be_bytes(*first) as usize {
        0 => Err(Garbage::Short),
        length if length > MAX_LENGTH => Err(Garbage::TooLong),
        length => Ok(Some(length)),
    }
}

/// A packet where it was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Frame<'a> {
    /// Which command it is.
    pub(super) letter: u8,
    /// What follows the letter.
    pub(super) payload: &'a [u8],
    /// How many octets it takes up with its length.
    pub(super) extent: usize,
}

/// The first packet, if all of it is there.
pub(super) fn first(heard: &[u8]) -> Result<Option<Frame<'_>>, Garbage> {
    let Some(length) = length(heard)? else { return Ok(None) };
    let extent = HEAD + length;
    let Some((&letter, payload)) = heard.get(HEAD..extent).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    Ok(Some(Frame { letter, payload, extent }))
}

/// How many octets the packet that has begun lacks, or at least lacks.
pub(super) fn missing(heard: &[u8]) -> Result<usize, Garbage> {
    let whole = length(heard)?.map_or(HEAD + 1, |length| HEAD + length);
    Ok(whole.saturating_sub(heard.len()))
}

/// Writes an answer. Answers are short: a reply, a header line, a recipient.
pub(super) fn put(answer: &Message, octets: &mut Vec<u8>) {
    let length = u32::try_from(answer.buffer.len() + 1).unwrap_or(u32::MAX);
    octets.extend_from_slice(&length.to_be_bytes());
    octets.push(answer.kind);
    octets.extend_from_slice(&answer.buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_whole_or_not_at_all() {
        let octets = b"\0\0\0\x03Hx\0\0\0\0\x01A\0\0";
        for cut in 0..=octets.len() {
            let mut heard = &octets[..cut];
            let mut got = Vec::new();
            while let Some(frame) = first(heard).unwrap() {
                got.push((frame.letter, frame.payload));
                heard = &heard[frame.extent..];
            }
            let want = [(b'H', &b"x\0"[..]), (b'A', b"")];
            assert_eq!(got, want[..usize::from(cut >= 7) + usize::from(cut >= 12)], "{cut}");
            assert!(missing(heard).unwrap() > 0, "{cut}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        for (head, want) in
            [(0, Garbage::Short), (1 + (1 << 20), Garbage::TooLong), (u32::MAX, Garbage::TooLong)]
        {
            let heard = u32::to_be_bytes(head);
            assert_eq!(first(&heard), Err(want));
            assert_eq!(missing(&heard), Err(want));
        }
    }

    #[tokio::test]
    async fn the_codec_writes_the_same_octets() {
        let answer = Message::new(b'h', &b"X-A\0b\0"[..]);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        put(&answer, &mut ours);
        indymilter::message::write(&mut theirs, answer).await.unwrap();
        assert_eq!(ours, theirs);
    }
}
