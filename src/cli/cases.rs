// SPDX-License-Identifier: GPL-3.0-or-later
//! Files of test cases: TOML with `[[case]]` tables, each a message and what is to become of it.
//!
//! Every case that is wrong is told, with its place, and only its first mistake; unknown keys are mistakes.

use super::content::{Content, HeaderLine};
use super::expectation::{Key, Wanted};
use super::question::{Address, Question};
use crate::config::{Place, Problem, Problems, Severity};
use crate::mail::Escaped;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// Largest file, in octets.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// Syntax errors that are shown. What follows a few of them is noise.
const MAX_SHOWN: usize = 3;

/// A case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) question: Question,
    /// One for each recipient.
    pub(super) wanted: Vec<Wanted>,
}

/// Reads the cases of a file; what is wrong goes to `problems`.
pub(super) fn read(path: &Path, problems: &mut Problems) -> Vec<Case> {
    let text = match std::fs::metadata(path) {
        Ok(about) if about.len() > MAX_FILE => Err(format!("it is larger than {MAX_FILE} octets")),
        Ok(_) => std::fs::read_to_string(path).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match text {
        Ok(text) => CaseFile { path: path.into(), text }.cases(problems),
        Err(error) => {
            let what = format!("cannot read `{}`: {error}", path.display());
            problems.push(Problem::new(Severity::Error, None, what));
            Vec::new()
        }
    }
}

struct CaseFile {
    path: Arc<Path>,
    text: String,
}

impl CaseFile {
    fn cases(&self, problems: &mut Problems) -> Vec<Case> {
        let (root, errors) = DeTable::parse_recoverable(&self.text);
        for error in errors.iter().take(MAX_SHOWN) {
            let place = self.place(error.span().unwrap_or_default());
            problems.push(Problem::error(place, format!("not valid TOML: {}", error.message())));
        }
        if !errors.is_empty() {
            return Vec::new();
        }
        let mut list = Vec::new();
        for (key, value) in root.into_inner() {
            match (key.get_ref().as_ref(), value.into_inner()) {
                ("case", DeValue::Array(elements)) => list.extend(elements),
                ("case", _) => problems.push(
                    Problem::error(self.place(key.span()), "`case` must be a list of tables")
                        .help("write [[case]] and the keys below it"),
                ),
                (other, _) => problems.push(
                    Problem::error(self.place(key.span()), format!("there is no key or table `{other}`"))
                        .help("a file of cases holds [[case]] tables only"),
                ),
            }
        }
        if list.is_empty() && !problems.has_errors() {
            let place = self.place(0..0);
            problems.push(
                Problem::error(place, "there is no case in this file").help("see `postern test --help`"),
            );
        }
        let cases: Vec<Case> = list
            .into_iter()
            .filter_map(|element| self.case(element).map_err(|p| problems.push(p)).ok())
            .collect();
        let mut known: HashMap<&str, &Place> = HashMap::new();
        for case in &cases {
            if let Some(first) = known.insert(&case.name, &case.place) {
                let what = format!("there are two cases `{}`", case.name);
                problems.push(Problem::error(case.place.clone(), what).see("the first one", first.clone()));
            }
        }
        cases
    }

    fn case(&self, element: Spanned<DeValue<'_>>) -> Result<Case, Problem> {
        let span = element.span();
        if !element.get_ref().is_table() {
            return Err(Problem::error(self.place(span), "a case must be a table")
                .help("write [[case]] and the keys below it"));
        }
        let mut written = Written::deserialize(ValueDeserializer::from(element)).map_err(|error| {
            // A missing key has no place of its own.
            worded(self.place(error.span().unwrap_or(span)), error.message())
        })?;
        let place = self.place(written.name.span());
        let expectations = written.expectations();
        if expectations.is_empty() {
            return Err(Problem::error(place, "the case does not say what is to become of the message")
                .help("write, for instance, `expect = \"reject\"`"));
        }
        let name = std::mem::take(written.name.get_mut());
        let question = self.question(written)?;
        let mut wanted = vec![Wanted::default(); question.recipients.len()];
        for (key, texts) in &expectations {
            self.set(&mut wanted, *key, texts)?;
        }
        Ok(Case { name, place, question, wanted })
    }

    fn question(&self, written: Written) -> Result<Question, Problem> {
        let Written { client, rcpt, mail, helo, auth, certificate, headers, message, .. } = written;
        let recipient =
            |text: &Spanned<String>| Address::recipient(text.get_ref()).map_err(|why| self.wrong(text, why));
        let recipients: Vec<Address> = rcpt.texts().iter().map(recipient).collect::<Result<_, _>>()?;
        if recipients.is_empty() {
            return Err(Problem::error(self.place(rcpt.0.span()), "a case needs a recipient"));
        }
        let mut content = message.map(|file| self.message(&file)).transpose()?.unwrap_or_default();
        let header = |text: &Spanned<String>| {
            let line = HeaderLine::parse(text.get_ref().as_bytes());
            line.ok_or_else(|| self.wrong(text, "write it like \"Subject: hello\""))
        };
        let headers: Vec<HeaderLine> = headers.iter().map(header).collect::<Result<_, _>>()?;
        content.headers.splice(..0, headers);
        let Ok(sender) = mail.unwrap_or_default().parse();
        Ok(Question {
            client: client.get_ref().parse().map_err(|why| self.wrong(&client, why))?,
            helo,
            login: auth,
            certificate,
            sender,
            recipients,
            content,
        })
    }

    fn message(&self, file: &Spanned<String>) -> Result<Content, Problem> {
        let path = self.path.parent().unwrap_or_else(|| Path::new("")).join(file.get_ref());
        Content::read(&path).map_err(|error| {
            let what = format!("cannot read `{}`: {error}", path.display());
            Problem::error(self.place(file.span()), what)
        })
    }

    /// Hands one value to all recipients, or one of a list to each.
    fn set(&self, wanted: &mut [Wanted], key: Key, texts: &Texts) -> Result<(), Problem> {
        let list = texts.texts();
        let (given, needed) = (list.len(), wanted.len());
        if texts.is_list() && given != needed {
            let plural = |n| if n == 1 { "" } else { "s" };
            let (key, values, recipients) = (key.as_str(), plural(given), plural(needed));
            let what = format!("`{key}` has {given} value{values} for {needed} recipient{recipients}");
            return Err(Problem::error(self.place(texts.0.span()), what)
                .help("write one value for all recipients, or a list with one for each"));
        }
        for (wanted, text) in wanted.iter_mut().zip(list.iter().cycle()) {
            wanted.set(key, text.get_ref()).map_err(|why| {
                let what = format!("{} is nothing that `{}` can be", quoted(text.get_ref()), key.as_str());
                Problem::error(self.place(text.span()), what).help(why)
            })?;
        }
        Ok(())
    }

    fn wrong(&self, text: &Spanned<String>, why: &str) -> Problem {
        let what = format!("{} is not understood", quoted(text.get_ref()));
        Problem::error(self.place(text.span()), what).help(why)
    }

    fn place(&self, span: Range<usize>) -> Place {
        let start = span.start.min(self.text.len());
        let begin = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let number = self.text[..start].matches('\n').count() + 1;
        let line = self.text[begin..].lines().next().unwrap_or_default();
        Place::new(&self.path, number, line, start - begin, span.end.saturating_sub(begin))
    }
}

/// Serde's errors in the words of whoever writes cases.
fn worded(place: Place, message: &str) -> Problem {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let (true, [written, known @ ..]) = (message.starts_with("unknown field"), names.as_slice()) {
        let likely = known
            .iter()
            .map(|name| (strsim::jaro_winkler(written, name), name))
            .filter(|(similarity, _)| *similarity > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let help = match likely {
            Some((_, name)) => format!("did you mean `{name}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        return Problem::error(place, format!("a case has no key {}", quoted(written))).help(help);
    }
    if let (true, [name]) = (message.starts_with("missing field"), names.as_slice()) {
        return Problem::error(place, format!("`{name}` is missing in this case"));
    }
    match message.rsplit_once("expected ") {
        Some((_, wanted)) => Problem::error(place, format!("this must be {wanted}")),
        None => Problem::error(place, message),
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", Escaped(text.as_bytes()))
}

/// A case as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Spanned<String>,
    client: Spanned<String>,
    rcpt: Texts,
    mail: Option<String>,
    helo: Option<String>,
    auth: Option<String>,
    certificate: Option<String>,
    #[serde(default)]
    headers: Vec<Spanned<String>>,
    message: Option<Spanned<String>>,
    expect: Option<Texts>,
    verdict: Option<Texts>,
    reason: Option<Texts>,
    reply: Option<Texts>,
}

impl Written {
    /// Takes out what is to become of the message.
    fn expectations(&mut self) -> Vec<(Key, Texts)> {
        let all = [
            (Key::Expect, self.expect.take()),
            (Key::Verdict, self.verdict.take()),
            (Key::Reason, self.reason.take()),
            (Key::Reply, self.reply.take()),
        ];
        all.into_iter().filter_map(|(key, texts)| Some((key, texts?))).collect()
    }
}

/// One text, or a list of them.
#[derive(Deserialize)]
#[serde(transparent)]
struct Texts(Spanned<OneOrMore>);

enum OneOrMore {
    One(String),
    More(Vec<Spanned<String>>),
}

impl Texts {
    fn texts(&self) -> Vec<Spanned<String>> {
        match self.0.get_ref() {
            OneOrMore::One(text) => vec![Spanned::new(self.0.span(), text.clone())],
            OneOrMore::More(texts) => texts.clone(),
        }
    }

    fn is_list(&self) -> bool {
        matches!(self.0.get_ref(), OneOrMore::More(_))
    }
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrList;

        impl<'de> Visitor<'de> for TextOrList {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes, or a list of them")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMore, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMore::More(texts))
            }
        }

        deserializer.deserialize_any(TextOrList)
    }
}
