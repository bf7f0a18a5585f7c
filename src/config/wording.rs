// SPDX-License-Identifier: GPL-3.0-or-later
//! Serde's errors in an administrator's words, with what to write instead.

use super::secrecy::is_secret;
use super::tree::ELEMENT;
use super::{Place, Problem};
use crate::mail::Escaped;
use crate::policy::{Mode, Verdict};
use toml::de::DeValue;

/// Names that are at least this similar (Jaro-Winkler, 0 to 1) are taken for misspellings of one another.
const SIMILAR: f64 = 0.8;

/// A text from the file, safe to print.
pub fn quoted(text: &str) -> String {
    if text.is_empty() { "\"\"".to_owned() } else { format!("`{}`", Escaped(text.as_bytes())) }
}

/// The known name that was probably meant.
pub fn meant<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&written, &name.to_lowercase()), name))
        .filter(|&(similarity, _)| similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// "did you mean this?", or all that there is to choose from.
pub(super) fn meant_or_all(written: &str, known: &[&str], what: &str, several: &str) -> String {
    match meant(written, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{what}{} {}", if known.len() > 1 { several } else { "" }, list(known)),
    }
}

/// `a`, `b` and `c`.
pub fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A table's name as it is written in the file.
pub(super) fn header(path: &[impl AsRef<str>]) -> String {
    if let [list, element] = path
        && list.as_ref() == "route"
        && element.as_ref() == ELEMENT
    {
        return "[[route]]".to_owned();
    }
    let keys = path.iter().map(AsRef::as_ref).filter(|key| *key != ELEMENT);
    let keys: Vec<String> = keys.map(bare_or_quoted).collect();
    format!("[{}]", keys.join("."))
}

fn bare_or_quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if bare { key.to_owned() } else { format!("\"{}\"", Escaped(key.as_bytes())) }
}

/// A message without further knowledge.
pub(super) fn plain(message: &str) -> String {
    format!("not understood: {message}")
}

/// A serde error at a place, about the value that stood under `path`.
pub(super) fn problem(place: Place, message: &str, path: &[String], taken: &DeValue<'_>) -> Problem {
    if message.starts_with("unknown field") {
        return unknown_key(place, message, path);
    }
    if message.starts_with("unknown variant") {
        let written = taken.as_str().unwrap_or_default();
        let known = backticked(message.split_once("expected").map_or("", |(_, known)| known));
        let what = format!("{} is none of the words for `{}`", quoted(written), key_of(path));
        return Problem::error(place, what).help(meant_or_all(written, &known, "write", " one of"));
    }
    let Some(wanted) = Wanted::of(message) else {
        return Problem::error(place, plain(message));
    };
    let what = if path.last().is_some_and(|key| key == ELEMENT) {
        format!("an element of `{}` must be {}, not {}", key_of(path), wanted.words(), kind(taken))
    } else {
        format!("`{}` must be {}, not {}", key_of(path), wanted.words(), kind(taken))
    };
    Problem::error(place, what).help(wanted.instead(path, taken))
}

fn unknown_key(place: Place, message: &str, path: &[String]) -> Problem {
    let known = backticked(message.split_once("expected").map_or("", |(_, known)| known));
    let (key, table) = path.split_last().map_or(("", path), |(key, table)| (key.as_str(), table));
    let what = if table.is_empty() {
        format!("there is no key or table {}", quoted(key))
    } else {
        format!("there is no key {} in {}", quoted(key), header(table))
    };
    Problem::error(place, what).help(meant_or_all(key, &known, "known here:", ""))
}

/// Whether this is what TOML makes of `[domain.example.com]`: a table `com` in a table `example`.
pub(super) fn is_unquoted_domain(path: &[String], taken: &DeValue<'_>) -> bool {
    matches!(path, [top, name, _] if top == "domain" && !name.contains('.')) && taken.is_table()
}

/// A domain name without quotes.
pub(super) fn unquoted_domain(place: Place, path: &[String], taken: &DeValue<'_>) -> Problem {
    let mut name = path.get(1..).unwrap_or_default().join(".");
    let mut inner = taken;
    while let Some((key, only)) = inner.as_table().filter(|t| t.len() == 1).and_then(|t| t.iter().next())
        && only.get_ref().is_table()
        && !matches!(key.get_ref().as_ref(), "verdict" | "reply")
    {
        name = format!("{name}.{}", key.get_ref());
        inner = only.get_ref();
    }
    Problem::error(place, "a domain name with dots must stand in quotes")
        .help(format!("write {}", header(&["domain", &name])))
}

/// The last key of a path.
fn key_of(path: &[String]) -> String {
    let key = path.iter().rev().find(|key| *key != ELEMENT);
    key.map(|key| Escaped(key.as_bytes()).to_string()).unwrap_or_default()
}

/// Everything that serde put between backticks.
fn backticked(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// What a key takes.
#[derive(Clone, Copy)]
enum Wanted {
    Text,
    Word,
    Number,
    SmallerNumber,
    Boolean,
    List,
    Table,
    TextOrTable,
    Several,
    Gateways,
    Factors,
    Behind,
}

impl Wanted {
    fn of(message: &str) -> Option<Self> {
        if message.starts_with("wanted string or table") || message.starts_with("wanted exactly 1 element") {
            return Some(Self::Word);
        }
        if message.starts_with("integer number overflowed") {
            return Some(Self::SmallerNumber);
        }
        let (_, expected) = message.rsplit_once("expected ")?;
        match expected {
            "a string" => Some(Self::Text),
            "i64" if message.contains("integer") => Some(Self::SmallerNumber),
            "i64" => Some(Self::Number),
            "a boolean" => Some(Self::Boolean),
            "a sequence" => Some(Self::List),
            "a map" => Some(Self::Table),
            "a text or a table" => Some(Self::TextOrTable),
            "a text, a table or a list of them" => Some(Self::Several),
            other if other.starts_with("a list of gateway names") => Some(Self::Gateways),
            other if other.starts_with("a list of factors") => Some(Self::Factors),
            other if other.starts_with("true, \"tag\"") => Some(Self::Behind),
            _ => None,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Word => "a word in quotes",
            Self::Number => "a whole number",
            Self::SmallerNumber => "a smaller number",
            Self::Boolean => "true or false",
            Self::List => "a list",
            Self::Table => "a table",
            Self::TextOrTable => "a text in quotes, or a table",
            Self::Several => "a text in quotes, a table, or a list of them",
            Self::Gateways => "a list of gateways, or \"any\"",
            Self::Factors => "a list of factors, \"any\" or \"all\"",
            Self::Behind => "true, \"tag\" or \"quarantine\"",
        }
    }

    fn instead(self, path: &[String], taken: &DeValue<'_>) -> String {
        let key = key_of(path);
        let text = match taken {
            DeValue::String(text) => Some(Escaped(text.as_bytes()).to_string()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Boolean(truth) => Some(truth.to_string()),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        };
        let element = path.last().is_some_and(|key| key == ELEMENT);
        let text = text.as_deref().filter(|_| !path.iter().any(|key| is_secret(key)));
        match self {
            Self::Word => match key.as_str() {
                "mode" => format!("write one of {}", list(&Mode::ALL.map(Mode::as_str))),
                "type" if path.first().is_some_and(|table| table == "server") => {
                    "write one of `microsoft365`, `exchange` and `smtp`".to_owned()
                }
                "type" => "write \"list\"".to_owned(),
                "tls" => "write one of `may`, `encrypt`, `dane` and `verify`".to_owned(),
                "on_return" => "write `token` or `strip`".to_owned(),
                "on_scanner_down" => "write `wait` or `deliver`".to_owned(),
                "reverse_name" => "write one of `off`, `present` and `confirmed`".to_owned(),
                "format" => "write one of `microsoft`, `json` and `text`".to_owned(),
                "require" => "write one of `address`, `certificate` and `header`".to_owned(),
                _ => format!("write one of {}", list(&Verdict::ALL.map(Verdict::as_str))),
            },
            Self::TextOrTable if element => "write \"...\"".to_owned(),
            Self::Text if element => format!("write \"{}\"", text.unwrap_or("...")),
            Self::Text => match (key.as_str(), text) {
                ("socket_mode", Some(mode)) => {
                    let digits = mode.trim_start_matches("0o").trim_start_matches('0');
                    format!("write `{key} = \"0{digits}\"`")
                }
                ("drain_timeout" | "health", Some(seconds)) => format!("write `{key} = \"{seconds}s\"`"),
                ("valid" | "rotate", Some(hours)) => format!("write `{key} = \"{hours}h\"`"),
                ("unrouted", _) => "write \"reject\", \"pass\", or \"default:\" and a server".to_owned(),
                (_, text) => format!("write `{key} = \"{}\"`", text.unwrap_or("...")),
            },
            Self::Number => match text.filter(|text| text.parse::<i64>().is_ok()) {
                Some(number) => format!("write `{key} = {number}`"),
                None => format!("write a whole number without quotes after `{key} =`"),
            },
            Self::SmallerNumber => "no key takes a number this large".to_owned(),
            Self::Boolean => match text {
                Some("true" | "yes" | "on" | "1") => format!("write `{key} = true`"),
                Some("false" | "no" | "off" | "0") => format!("write `{key} = false`"),
                Some(_) | None => format!("write `{key} = true` or `{key} = false`"),
            },
            Self::List if path.len() == 1 && key == "route" => {
                "write a line [[route]], in two brackets, and its keys below it, for each rule".to_owned()
            }
            Self::List => format!("write `{key} = [\"{}\"]`", text.unwrap_or("...")),
            Self::Gateways => {
                format!(
                    "write `{key} = [\"{}\"]`, or `{key} = \"any\"` if everyone may",
                    text.unwrap_or("...")
                )
            }
            Self::TextOrTable | Self::Several => format!("write `{key} = \"...\"`"),
            Self::Factors => format!("write `{key} = [\"address\", \"header\"]`, \"any\" or \"all\""),
            Self::Behind => format!("write `{key} = true`, or \"tag\" or \"quarantine\""),
            Self::Table => match path {
                [one] if one == "domain" => {
                    "write a line [domain.\"example.com\"] and its keys below it".to_owned()
                }
                [list, element] if list == "route" && element == ELEMENT => {
                    "write a line [[route]] and its keys below it".to_owned()
                }
                [one] if matches!(one.as_str(), "gateway" | "directory" | "server") => {
                    format!("write a line {} and its keys below it", header(&[one, "NAME"]).replace('"', ""))
                }
                path => format!("write a line {} and its keys below it", header(path)),
            },
        }
    }
}
