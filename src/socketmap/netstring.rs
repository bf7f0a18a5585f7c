// SPDX-License-Identifier: GPL-3.0-or-later
//! Netstrings (<https://cr.yp.to/proto/netstrings.txt>): a length in decimal digits, a colon, so many octets, a comma.
//!
//! They are looked at where they were read, without copying. A length has no leading noughts, and what cannot become one is
//! noticed at its first wrong octet.

/// Longest request, in octets: a table's name and a key. No MTA has a key of a quarter of that.
pub const MAX_REQUEST: usize = 4096;
/// Longest value in a reply, in octets: Postfix takes replies of 100,000 octets (`socketmap_table(5)`), `OK ` among them.
pub(super) const MAX_VALUE: usize = 100_000 - "OK ".len();

/// Why octets are no request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Malformed {
    /// Something else stands where a length should.
    #[error("a request does not begin with its length")]
    NoLength,
    /// `007:`.
    #[error("a request's length has leading noughts")]
    LeadingNought,
    /// More than [`MAX_REQUEST`].
    #[error("a request is longer than {MAX_REQUEST} octets")]
    TooLong,
    /// Something else follows the last octet.
    #[error("a request's length is wrong: no comma follows it")]
    NoComma,
}

/// A netstring where it was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Netstring<'a> {
    /// What it holds.
    pub(super) content: &'a [u8],
    /// How many octets it takes up.
    pub(super) extent: usize,
}

/// Where a netstring's content begins and how long it is, once that is known.
fn head(heard: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut length = 0;
    for (at, octet) in heard.iter().enumerate() {
        match octet {
            b':' if at > 0 => return Ok(Some((at + 1, length))),
            b'0'..=b'9' if at > 0 && length == 0 => return Err(Malformed::LeadingNought),
            b'0'..=b'9' => length = length * 10 + usize::from(octet - b'0'),
            _ => return Err(Malformed::NoLength),
        }
        if length > MAX_REQUEST {
            return Err(Malformed::TooLong);
        }
    }
    Ok(None)
}

/// The first netstring, if all of it is there.
pub(super) fn first(heard: &[u8]) -> Result<Option<Netstring<'_>>, Malformed> {
    let Some((begin, length)) = head(heard)? else { return Ok(None) };
    let end = begin + length;
    match (heard.get(begin..end), heard.get(end)) {
        (Some(content), Some(b',')) => Ok(Some(Netstring { content, extent: end + 1 })),
        (_, Some(_)) => Err(Malformed::NoComma),
        (_, None) => Ok(None),
    }
}

/// How many octets the netstring that has begun lacks, or at least lacks.
pub(super) fn missing(heard: &[u8]) -> Result<usize, Malformed> {
    let whole = head(heard)?.map_or(heard.len() + 1, |(begin, length)| begin + length + 1);
    Ok(whole.saturating_sub(heard.len()))
}

/// Writes a netstring that holds these.
pub(super) fn put(pieces: &[&str], octets: &mut Vec<u8>) {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    octets.extend_from_slice(length.to_string().as_bytes());
    octets.push(b':');
    for piece in pieces {
        octets.extend_from_slice(piece.as_bytes());
    }
    octets.push(b',');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn netstrings_come_whole_or_not_at_all() {
        let octets = b"15:recipient a@b.c,0:,10:domain b.c,";
        for cut in 0..=octets.len() {
            let mut heard = &octets[..cut];
            let mut got = Vec::new();
            while let Some(Netstring { content, extent }) = first(heard).unwrap() {
                got.push(content);
                heard = &heard[extent..];
            }
            let want = [&b"recipient a@b.c"[..], b"", b"domain b.c"];
            let whole = [19, 22, 36].iter().filter(|end| cut >= **end).count();
            assert_eq!(got, want[..whole], "{cut}");
            assert!(missing(heard).unwrap() > 0, "{cut}");
        }
    }

    #[test]
    fn what_is_no_netstring() {
        let at_most = [b"4096:", &[b'x'; 4096][..], b","].concat();
        assert_eq!(first(&at_most).unwrap().unwrap().content.len(), 4096);
        for (octets, want) in [
            (&b":,"[..], Malformed::NoLength),
            (b"GET / HTTP/1.1", Malformed::NoLength),
            (b"1x:a,", Malformed::NoLength),
            (b"-1:a,", Malformed::NoLength),
            (b" 1:a,", Malformed::NoLength),
            (b"\0", Malformed::NoLength),
            (b"\xff\xfe", Malformed::NoLength),
            (b"01:a,", Malformed::LeadingNought),
            (b"00:,", Malformed::LeadingNought),
            (b"4097", Malformed::TooLong),
            (b"99999999999999999999999999999999999999999999", Malformed::TooLong),
            (b"1:ab,", Malformed::NoComma),
            (b"3:a,1:b,", Malformed::NoComma),
            (b"0:x", Malformed::NoComma),
        ] {
            assert_eq!(first(octets), Err(want), "{octets:?}");
        }
    }

    proptest! {
        /// What is written is read, and what is read was written so.
        #[test]
        fn what_is_written_is_read(content in ".{0,200}", behind in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut octets = Vec::new();
            put(&[&content], &mut octets);
            let extent = octets.len();
            octets.extend(behind);
            prop_assert_eq!(first(&octets), Ok(Some(Netstring { content: content.as_bytes(), extent })));
        }

        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..40)) {
            match first(&octets) {
                Ok(Some(Netstring { content, extent })) => {
                    let mut again = Vec::new();
                    if let Ok(content) = std::str::from_utf8(content) {
                        put(&[content], &mut again);
                        prop_assert_eq!(&octets[..extent], &again);
                    }
                }
                Ok(None) => prop_assert!(missing(&octets).unwrap() > 0),
                Err(malformed) => prop_assert!(octets.is_empty() || missing(&octets) == Err(malformed) || malformed == Malformed::NoComma),
            }
        }
    }
}
