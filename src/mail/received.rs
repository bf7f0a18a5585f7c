// SPDX-License-Identifier: GPL-3.0-or-later
//! The client in front of a gateway, from the `Received` lines that the gateway wrote (RFC 5321 4.4).
//!
//! Of each line only the `from` clause is read, and of it only the address that the writing host saw for itself, never
//! one that its client could have said: not the HELO name, an ident answer, a certificate's name or a login. The walk
//! goes from the top of the message down and ends at the first address that is not the gateway's own; whatever lies
//! below was written by somebody else. A line that reads two ways, as one does when its writer lets parentheses in a HELO name
//! pass, ends it without an answer.
//!
//! What a host sees, it writes in one of these forms; anything else is not understood:
//! `from HELO (NAME [ADDRESS])`, `(NAME[ADDRESS])`, `([ADDRESS])`, `(ADDRESS)`, `(IDENT@ADDRESS)`, perhaps behind `(HELO ...)`; and
//! `from [ADDRESS] (helo=HELO)`, where the comment shows that the name is not the client's word.

use super::{is_private, parse_client_address};
use std::net::IpAddr;

/// Lines that are looked at. A gateway needs a few of its own.
const MAX_LINES: usize = 32;
/// Octets of a line that are looked at; the `from` clause stands first.
const MAX_LINE: usize = 4096;

/// The address of the client that handed the message to the gateway that handed it to us; nothing when that cannot be
/// told.
///
/// `lines` are the values of the message's `Received` lines from the top, without our MTA's own, so that the first is from the host
/// that is our MTA's client. The caller knows that host to be the gateway. `trusted` tells the gateway's own addresses; private
/// ones are taken for hops within it.
///
/// A provider whose inner hops have public addresses that it does not publish as its own, as Microsoft's have, seems to
/// be its own client. Of a client that calls itself by its address, Exim writes what other servers write of one that
/// only says so; that is not told apart, and so is nothing.
pub fn original_client<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    for line in lines.take(MAX_LINES) {
        let address = match Origin::of(&line[..line.len().min(MAX_LINE)]) {
            Origin::Client(address) => address,
            Origin::WithinHost => continue,
            Origin::Unclear => return None,
        };
        if !trusted(address) && !is_private(address) {
            return Some(address);
        }
    }
    None
}

/// Where a line says that the message came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    /// From a client with this address.
    Client(IpAddr),
    /// From the same host: there is no `from` clause, or the message came by a way that no other host has.
    WithinHost,
    /// It cannot be told.
    Unclear,
}

/// What a comment tells about the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Remark {
    /// The address it has.
    Address(IpAddr),
    /// What it said, so that the name in front of this remark is not what it said.
    Claim,
    /// Nothing about its address.
    Other,
}

impl Origin {
    fn of(line: &[u8]) -> Self {
        let mut tokens = Tokens(line);
        let first = tokens.next();
        let Some(Token::Word(word)) = first else {
            // qmail says `(qmail 1 invoked by uid 2)`, Sendmail `(from ann@localhost) by ...`.
            return if matches!(first, Some(Token::Comment(_))) && tokens.has_no_from() {
                Self::WithinHost
            } else {
                Self::Unclear
            };
        };
        if word.eq_ignore_ascii_case(b"by") {
            return if tokens.has_no_from() { Self::WithinHost } else { Self::Unclear };
        }
        if !word.eq_ignore_ascii_case(b"from") {
            return Self::Unclear;
        }
        let Some(seen) = FromClause::read(&mut tokens) else { return Self::Unclear };
        let Some(way) = way_of(tokens) else { return Self::Unclear };
        match seen.address() {
            Seen::One(address) => Self::Client(address),
            // Nobody hands over by LMTP or the local way from afar.
            Seen::None if [&b"local"[..], b"lmtp"].iter().any(|own| way.eq_ignore_ascii_case(own)) => {
                Self::WithinHost
            }
            Seen::None | Seen::Several => Self::Unclear,
        }
    }
}

/// What stands between `from` and `by`.
struct FromClause<'a> {
    /// The first word: what the client said, or what its address or name is.
    name: Option<&'a [u8]>,
    /// How many words there are.
    words: u32,
    first: Option<Remark>,
    address: Seen,
}

/// The addresses that remarks tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    None,
    One(IpAddr),
    /// More than one, not all alike.
    Several,
}

impl Seen {
    fn and(self, address: IpAddr) -> Self {
        match self {
            Self::None => Self::One(address),
            Self::One(seen) if seen == address => self,
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

impl<'a> FromClause<'a> {
    /// Reads on behind `from`, and past `by`. Nothing when that never comes. What comes first is the name whatever it is: a
    /// client may call itself `by`.
    fn read(tokens: &mut Tokens<'a>) -> Option<Self> {
        let mut clause = Self { name: None, words: 0, first: None, address: Seen::None };
        loop {
            match tokens.next()? {
                Token::Broken => return None,
                Token::Word(word) if clause.first.is_none() && clause.words == 0 => {
                    clause.name = Some(word);
                    clause.words = 1;
                }
                Token::Word(word) if word.eq_ignore_ascii_case(b"by") => return Some(clause),
                Token::Word(word) if word.eq_ignore_ascii_case(b"from") => return None,
                Token::Word(_) => clause.words += 1,
                Token::Comment(text) => {
                    let remark = Remark::read(text);
                    if let Remark::Address(address) = remark {
                        clause.address = clause.address.and(address);
                    }
                    clause.first.get_or_insert(remark);
                }
            }
        }
    }

    /// What the host saw. A name in brackets is what it saw if what the client said follows at once.
    fn address(&self) -> Seen {
        let own = match self.first {
            Some(Remark::Claim) => self.name.and_then(literal_with_port),
            Some(Remark::Address(_) | Remark::Other) | None => None,
        };
        match own {
            None => self.address,
            Some(own) if self.words == 1 => self.address.and(own),
            Some(_) => Seen::Several,
        }
    }
}

/// By which protocol the message came: the word behind the first `with`, empty if there is none. Nothing when the rest of the line
/// says `by` or `from` again, and so is no rest.
fn way_of(mut tokens: Tokens<'_>) -> Option<&[u8]> {
    let mut way = None;
    while let Some(token) = tokens.next() {
        let word = match token {
            Token::Word(word) => word,
            Token::Comment(_) => continue,
            Token::Broken => return None,
        };
        if is_clause(word) {
            return None;
        }
        if way.is_none() && word.eq_ignore_ascii_case(b"with") {
            way = Some(match tokens.next() {
                Some(Token::Word(protocol)) if is_clause(protocol) => return None,
                Some(Token::Word(protocol)) => protocol.strip_suffix(b";").unwrap_or(protocol),
                Some(Token::Broken) => return None,
                Some(Token::Comment(_)) | None => b"",
            });
        }
    }
    Some(way.unwrap_or_default())
}

fn is_clause(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"from") || word.eq_ignore_ascii_case(b"by")
}

impl Remark {
    fn read(comment: &[u8]) -> Self {
        let text = comment.trim_ascii();
        if is_claim(text) {
            return Self::Claim;
        }
        let Some(text) = before_claims(text) else { return Self::Other };
        let Some(open) = text.iter().position(|&b| b == b'[') else {
            if text.iter().any(u8::is_ascii_whitespace) {
                return Self::Other;
            }
            // qmail puts an ident answer before the address.
            let bare = text.rsplit(|&b| b == b'@').next().unwrap_or_default();
            return address(bare).map_or(Self::Other, Self::Address);
        };
        let (name, rest) = (text[..open].trim_ascii(), &text[open + 1..]);
        // MailMarshal writes `Not Verified[ADDRESS]` for a client without a reverse name.
        let is_name = !name.iter().any(u8::is_ascii_whitespace) || name.eq_ignore_ascii_case(b"Not Verified");
        let Some(close) = rest.iter().position(|&b| b == b']') else { return Self::Other };
        let (inner, behind) = (&rest[..close], &rest[close + 1..]);
        if !is_name || behind.contains(&b'[') {
            return Self::Other;
        }
        address(inner).map_or(Self::Other, Self::Address)
    }
}

/// Whether a comment begins with what the client said: `HELO x`, `EHLO x` (qmail and others), `helo=x`, `port=1 helo=x`
/// (Exim), or goes on about the connection, which Symantec's cloud puts behind the address.
fn is_claim(text: &[u8]) -> bool {
    let begins = |word: &[u8]| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word);
    [&b"helo "[..], b"ehlo ", b"helo\t", b"ehlo\t", b"helo=", b"port=", b"ident=", b"using "]
        .into_iter()
        .any(begins)
}

/// What stands before Exim's ` helo=`, ` ident=`, ` port=`, and what a nested comment adds.
fn before_claims(text: &[u8]) -> Option<&[u8]> {
    let text = text.split(|&b| b == b'(').next()?;
    let starts = |word: &[u8]| {
        let found = text.windows(word.len()).position(|part| part.eq_ignore_ascii_case(word));
        found.unwrap_or(text.len())
    };
    let end = [&b" helo="[..], b" ident=", b" port="].into_iter().map(starts).min()?;
    Some(text[..end].trim_ascii())
}

/// `[ADDRESS]` or `[ADDRESS]:PORT`.
fn literal_with_port(word: &[u8]) -> Option<IpAddr> {
    let rest = word.strip_prefix(b"[")?;
    let close = rest.iter().position(|&b| b == b']')?;
    let port = &rest[close + 1..];
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_port.then(|| address(&rest[..close]))?
}

fn address(text: &[u8]) -> Option<IpAddr> {
    let address = parse_client_address(str::from_utf8(text).ok()?)?;
    (!address.is_unspecified() && !address.is_multicast()).then_some(address)
}

/// A line's words and comments, outside of which nothing is but blanks. Quotation marks mean nothing here: a client that puts
/// one in its name must not swallow the rest of the line.
struct Tokens<'a>(&'a [u8]);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Token<'a> {
    Word(&'a [u8]),
    /// What stands in parentheses, nested ones included.
    Comment(&'a [u8]),
    /// A parenthesis without its other half.
    Broken,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.0 = self.0.trim_ascii_start();
        match self.0 {
            [] => None,
            [b'(', rest @ ..] => {
                let Some(end) = end_of_comment(rest) else {
                    self.0 = &[];
                    return Some(Token::Broken);
                };
                self.0 = &rest[end + 1..];
                Some(Token::Comment(&rest[..end]))
            }
            [b')', ..] => {
                self.0 = &[];
                Some(Token::Broken)
            }
            text => {
                let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'(' | b')');
                let end = text.iter().position(ends).unwrap_or(text.len());
                self.0 = &text[end..];
                Some(Token::Word(&text[..end]))
            }
        }
    }
}

impl Tokens<'_> {
    fn has_no_from(mut self) -> bool {
        self.all(|token| match token {
            Token::Word(word) => !word.eq_ignore_ascii_case(b"from"),
            Token::Comment(_) => true,
            Token::Broken => false,
        })
    }
}

/// Where the comment that begins before `text` ends (RFC 5322 3.2.2: comments nest, a backslash takes the next octet's meaning).
fn end_of_comment(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut is_quoted = false;
    for (at, octet) in text.iter().enumerate() {
        match octet {
            _ if is_quoted => is_quoted = false,
            b'\\' => is_quoted = true,
            b'(' => depth += 1,
            b')' if depth == 0 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
