// SPDX-License-Identifier: GPL-3.0-or-later
//! Which parts of the configuration's lines may hold a secret, so that no report of a problem shows one.
//!
//! This looks at the text alone, because it also has to hold where the text is no TOML: a quote is missing, a key is
//! misspelt, a value stands in the wrong place. In doubt a part is hidden. Shown of a `header` is only what is plainly a
//! name, the name of a file or that of a credential. Of a URL that may have a password in it, only its beginning is shown.

/// Keys below which secrets stand, and words that people choose for such keys.
const SECRET: [&str; 6] = ["header", "value", "secret", "password", "passwd", "token"];
/// Keys beside them whose texts are no secrets.
const HARMLESS: [&str; 3] = ["name", "file", "credential"];
/// Names that are at least this similar (Jaro-Winkler, 0 to 1) are taken for misspellings of one another.
const SIMILAR: f64 = 0.85;

/// Whether a key is one of those below which secrets stand, or looks like one.
pub(super) fn is_secret(key: &str) -> bool {
    // What is much shorter or longer is not that similar.
    if !(3..=12).contains(&key.len()) {
        return false;
    }
    let key = key.to_lowercase();
    SECRET.iter().any(|secret| strsim::jaro_winkler(&key, secret) >= SIMILAR)
}

/// For each line with something to hide, ascending: its number from 0, and from which octet on it is hidden.
pub(super) fn hidden_parts(content: &str) -> Vec<(usize, usize)> {
    let mut region = Region::Outside { after_secret: false };
    let mut hidden = Vec::new();
    for (number, line) in content.split('\n').enumerate() {
        let parts = [region.next(line), after_scheme(line)];
        if let Some(from) = parts.into_iter().flatten().min() {
            hidden.push((number, from));
        }
    }
    hidden
}

/// Where the lines are.
enum Region {
    /// Where no secrets stand, unless the statement before holds one and goes on: a bracket may be missing.
    Outside { after_secret: bool },
    /// In the table of a header.
    Table,
    /// In a value that has this many brackets open.
    Value(usize),
}

impl Region {
    /// Goes over one line and says from where on it is hidden.
    fn next(&mut self, line: &str) -> Option<usize> {
        let start = line.len() - line.trim_start().len();
        if let Some(keys) = table_name(&line[start..]) {
            // No name has an equals sign in it: where there is one, two lines have become one.
            if let Some(equals) = line.find('=').filter(|&at| !line[..at].contains('#')) {
                *self = Self::Table;
                return Some(equals + 1);
            }
            let end = line.find(']').map_or(line.len(), |end| end + 1);
            let parts: Vec<&str> = keys.split('.').map(bare).collect();
            let secret = parts.len() > 2 && parts[2..].iter().any(|key| is_secret(key));
            *self = if secret { Self::Table } else { Self::Outside { after_secret: false } };
            return (secret && !line[end..].trim().is_empty()).then_some(end);
        }
        let from = match *self {
            Self::Outside { after_secret } => match after_secret_key(line) {
                Some(from) => {
                    let open = open_brackets(&line[from..], 0);
                    *self = if open > 0 { Self::Value(open) } else { Self::Outside { after_secret: true } };
                    from
                }
                None if after_secret && !begins_statement(line) => start,
                None => {
                    *self = Self::Outside { after_secret: false };
                    return None;
                }
            },
            Self::Table => start,
            Self::Value(open) => {
                let open = open_brackets(line, open);
                *self = if open > 0 { Self::Value(open) } else { Self::Outside { after_secret: true } };
                start
            }
        };
        if is_harmless(&line[from..]) {
            return None;
        }
        // The key itself may be seen, but for a line that is nothing but a value.
        Some(match line[from..].find('=') {
            Some(equals) if !line[from..from + equals].contains(['"', '\'', '[', '{']) => from + equals + 1,
            Some(_) | None => from,
        })
    }
}

/// The keys of `[a.b.c]`. A line of a list that begins with a bracket has a quote or another bracket after it.
fn table_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix("[[").or_else(|| line.strip_prefix('['))?.trim_start();
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c)).then(|| {
        let end = name.find(']').unwrap_or(name.len());
        name[..end].trim_end()
    })
}

/// `key = ...`.
fn begins_statement(line: &str) -> bool {
    let key = line.split_once('=').map_or("", |(key, _)| key.trim());
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "-_. \"'".contains(c))
}

/// Where a URL with a password in it begins, behind its scheme: between `://` and `@`, or the end of the authority where the
/// `@` was forgotten, is a colon that begins no port.
fn after_scheme(line: &str) -> Option<usize> {
    line.match_indices("://").map(|(at, mark)| at + mark.len()).find(|&from| {
        let rest = &line[from..];
        let authority = rest.find(['/', '?', '#', '"', '\'']).map_or(rest, |end| &rest[..end]);
        // A password may have any of those in it.
        let user = rest.rfind('@').map_or("", |end| &rest[..end]);
        let ports = authority.rsplit_once(']').map_or(authority, |(_, port)| port);
        user.contains(':') || ports.split(':').skip(1).any(|port| !port.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn bare(key: &str) -> &str {
    key.trim().trim_matches(['"', '\''])
}

/// Where the value of the first secret key in a line begins: behind its equals sign or dot.
fn after_secret_key(line: &str) -> Option<usize> {
    let word = |c: char| c.is_alphanumeric() || "-_".contains(c);
    let mut at = 0;
    while let Some(begin) = line[at..].find(word).map(|begin| at + begin) {
        let end = line[begin..].find(|c| !word(c)).map_or(line.len(), |length| begin + length);
        let before = line[..begin].chars().next_back().filter(|c| matches!(c, '"' | '\''));
        let closed = before.map(|quote| line[end..].strip_prefix(quote));
        let rest = closed.flatten().unwrap_or(&line[end..]).trim_start();
        // In quotes that are not closed, `header.txt` is the name of a file.
        let dot = rest.starts_with('.') && closed != Some(None);
        if (rest.starts_with('=') || dot) && is_secret(&line[begin..end]) {
            return Some(line.len() - rest.len() + 1);
        }
        at = end;
    }
    None
}

/// Brackets that are open after a line, when `open` are before it. Those in quotes are no brackets.
fn open_brackets(line: &str, open: usize) -> usize {
    let mut quote = None;
    line.chars().fold(open, |open, c| match (quote, c) {
        (None, '"' | '\'') => {
            quote = Some(c);
            open
        }
        (Some(q), c) if q == c => {
            quote = None;
            open
        }
        (None, '[' | '{') => open + 1,
        (None, ']' | '}') => open.saturating_sub(1),
        (None | Some(_), _) => open,
    })
}

/// Whether a part of a line has no texts but those of harmless keys.
fn is_harmless(part: &str) -> bool {
    let mut rest = part.trim_start();
    let mut key = "";
    let mut assigned = false;
    while let Some(c) = rest.chars().next() {
        if c == '"' || c == '\'' {
            let Some((_, after)) = rest[1..].split_once(c) else { return false };
            if !assigned || !HARMLESS.contains(&key) {
                return false;
            }
            rest = after;
            (key, assigned) = ("", false);
        } else if c.is_ascii_alphanumeric() || c == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            key = &rest[..end];
            if assigned || !(HARMLESS.contains(&key) || SECRET.contains(&key)) {
                return false;
            }
            rest = &rest[end..];
        } else {
            match c {
                '=' => assigned = true,
                '{' | '[' => {
                    key = "";
                    assigned = false;
                }
                '}' | ']' | ',' | '.' => {}
                _ if c.is_whitespace() => {}
                _ => return false,
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of each line.
    fn shown(content: &str) -> Vec<String> {
        let hidden = hidden_parts(content);
        let mut shown: Vec<String> = content.split('\n').map(str::to_owned).collect();
        for (number, from) in hidden {
            shown[number].truncate(from);
        }
        shown
    }

    #[test]
    fn nothing_that_may_be_a_secret_is_shown() {
        for text in [
            "[gateway.a.header]\nname = \"X-Id\"\nvalue = \"S3CRET\"",
            "[gateway.a.header]\nvalue = S3CRET",
            "[gateway.a.header] value = \"S3CRET\"",
            "[gateway.a.header]\nvalue = [\n  \"S3CRET\",\n[\"S3CRET\"],\n]",
            "[gateway.a.haeder]\nvalue = \"S3CRET\"",
            "[gateway.a.headers]\nvalues = [\"S3CRET\"]",
            "[[gateway.a.header]]\nX = \"S3CRET\"",
            "[gateway.a.header]\nname = \"X-Id\", value = \"S3CRET\"",
            "[gateway.a.header]\nname = \"X-Id\" S3CRET",
            "[gateway.a.header]\nname = [\"S3CRET\"]",
            "[gateway.a.header]\nS3CRET",
            "[gateway.a.header\nvalue = \"S3CRET\"",
            "[gateway.a.healue = \"S3CRET\"",
            "[gateway.a.header.value]\ntext = \"S3CRET\"",
            "gateway.a.header.value = \"S3CRET\"",
            "gateway.a.header = { name = \"X-Id\", value = \"S3CRET\" }",
            "gateway.a.\"header\".\"value\" = 'S3CRET'",
            "[gateway.a]\nheader = \"S3CRET\"",
            "[gateway.a]\nheader = { name = \"X-Id\", value = \"S3CRET }",
            "[gateway.a]\nheader = {\n  name = \"X-Id\",\n  value = [\"S3CRET\",\n \"S3CRET\"] }",
            "[gateway.a]\nheader.value = \"S3CRET\"",
            "[gateway.a]\nvaule = \"S3CRET\"",
            "[gateway.a]\nheader.value\n\n\"S3CRET\",\n\"S3CRET\"\n]",
            "[gateway.a]\nsecret = \"S3CRET\"",
            "[gateway]\na = { networks = [\"192.0.2.1\"], header = { value = \"S3CRET\" } }",
            "[gateway.a.header]\nvalue = { file = \"a\", text = \"S3CRET\" }",
            "[gateway.a.header]\nvalue = [{ file = \"a\" }, \"S3CRET\"]",
            "[gateway.a.header]\nvalue = { file = \"a\" \"S3CRET\" }",
            "[directory.a]\nurl = \"postgres://postern:S3CRET@db.example.com/mail\"",
            "[directory.a]\nurl = postgres://postern:S3CRET@db.example.com/mail",
            "[directory.a]\nulr = \"postgres://postern:S3CRET/1@db.example.com:5432/mail\"",
            "[directory.a]\nurl = \"postgres://postern:S3CRET/mail\"",
            "[directory.a]\nurl = \"postgres://postern@db.example.com/mail?password=S3CRET\"",
            "[directory.a]\nurl = [\"https://a.example/\", \"mysql://postern:S3CRET@db.example.com/mail\"]",
        ] {
            let shown = shown(text).join("\n");
            assert!(!shown.contains("S3CRET"), "{text}\n{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "[gateway.a.header]\nname = \"X-Id\"\nvalue = { file = \"guid.txt\" }",
            "[gateway.a]\nheader = { name = \"X-Id\", value = { credential = \"guid\" } }\nspf = [\"spf.example\"]",
            "[gateway.a.header]\nvalue = [{ file = \"a\" }, { file = \"b\" }]",
            "[gateway.header]\nnetworks = [\"192.0.2.0/24\"]",
            "[directory.a]\nurl = \"postgres://postern@db.example.com:5432/mail?sslmode=verify-full\"",
            "[directory.a]\nurl = \"postgres://postern@[::1]:5432/mail\"",
            "[gateway.a]\nfeed = [\"https://a.example:8443/b\", \"https://c.example\"]",
            "[gateway.a]\nfiles = [\"header.txt\", \"value.txt\"]\nhosts = [\"header.example\"]",
        ] {
            assert_eq!(shown(text).join("\n"), text);
        }
        let full = include_str!("../../examples/full.toml");
        for (number, _) in hidden_parts(full) {
            let line = full.lines().nth(number).unwrap_or_default();
            assert!(line.starts_with('#'), "{line}");
        }
    }
}
