// SPDX-License-Identifier: GPL-3.0-or-later
//! Where events go: text or JSON lines on standard error, or the systemd journal with its fields.
//!
//! Events are handed to a thread of their own over a bounded queue, so that a slow disk or a full pipe never holds up
//! a message; when the queue is full, lines are dropped and counted.
//!
//! What libraries log says nothing that an administrator could use and that Postern does not say in its own words, and
//! may hold whole packets: it is shown at `debug`, from its warnings on, and at `trace`, all of it.

use super::log_queue::{Queue, Writer as QueueWriter};
use super::log_text::TextFields;
use super::output;
use clap::ValueEnum;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Octets of text written at once.
const BUFFER: usize = 64 << 10;

/// systemd's native socket (`systemd.journal-fields(7)`, "Native Journal Protocol").
const JOURNAL: &str = "/run/systemd/journal/socket";

/// How events are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// The journal when systemd has connected standard error to it, text otherwise.
    #[default]
    Auto,
    /// One line of text an event, on standard error.
    Text,
    /// One JSON object an event, on standard error.
    Json,
    /// The systemd journal, with fields named `POSTERN_...`.
    Journal,
}

/// The least important events that are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Threshold {
    /// No service.
    Error,
    /// Someone should look.
    Warn,
    /// Every verdict, too.
    #[default]
    Info,
    /// Every session.
    Debug,
    /// Everything.
    Trace,
}

impl From<Threshold> for LevelFilter {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::Error => Self::ERROR,
            Threshold::Warn => Self::WARN,
            Threshold::Info => Self::INFO,
            Threshold::Debug => Self::DEBUG,
            Threshold::Trace => Self::TRACE,
        }
    }
}

impl Threshold {
    /// Which events of Postern and of the libraries in it are written.
    fn targets(self) -> Targets {
        let others = match self {
            Self::Error | Self::Warn | Self::Info => LevelFilter::OFF,
            Self::Debug => LevelFilter::WARN,
            Self::Trace => LevelFilter::TRACE,
        };
        Targets::new().with_target("postern", self).with_default(others)
    }
}

/// Keeps the log going; what waits is written when it is dropped.
#[derive(Debug)]
pub struct Log {
    queue: Queue,
    _writer: QueueWriter,
}

impl Log {
    /// Lines dropped because the queue was full.
    pub fn dropped(&self) -> usize {
        self.queue.dropped()
    }
}

/// Begins to log.
///
/// # Errors
/// When the journal was asked for and cannot be reached.
pub fn begin(format: Format, threshold: Threshold) -> io::Result<Log> {
    let (format, journal) = match format {
        Format::Auto => match Journal::connect(JOURNAL).ok().filter(|_| stderr_is_the_journal()) {
            Some(journal) => (Format::Journal, Some(journal)),
            None => (Format::Text, None),
        },
        Format::Journal => (format, Some(Journal::connect(JOURNAL)?)),
        Format::Text | Format::Json => (format, None),
    };
    let (queue, writer) = match journal {
        Some(journal) => Queue::begin(journal)?,
        None => Queue::begin(io::BufWriter::with_capacity(BUFFER, io::stderr()))?,
    };
    let for_events = queue.clone();
    let builder = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(threshold))
        .with_writer(move || for_events.clone());
    let targets = threshold.targets();
    match format {
        Format::Journal => builder.event_format(JournalEntry).finish().with(targets).init(),
        Format::Json => {
            let builder = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            builder.finish().with(targets).init();
        }
        Format::Auto | Format::Text => {
            let builder = builder.with_ansi(output::colour(&io::stderr())).fmt_fields(TextFields);
            builder.finish().with(targets).init();
        }
    }
    Ok(Log { queue, _writer: writer })
}

/// Whether standard error is the journal's stream. The variable may have been inherited from a service whose child we
/// are, with standard error elsewhere by now (systemd.exec(5), `$JOURNAL_STREAM`).
fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    nix::sys::stat::fstat(io::stderr())
        .is_ok_and(|about| stream == format!("{}:{}", about.st_dev, about.st_ino))
}

/// Sends each write as one datagram to the journal.
struct Journal(UnixDatagram);

impl Journal {
    fn connect(path: &str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self(socket))
    }
}

impl Write for Journal {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        // An entry that the journal does not take is lost; the log must not stop for it.
        let _ = self.0.send(entry);
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes an event as a journal entry: `NAME=value` lines.
struct JournalEntry;

impl<S, N> FormatEvent<S, N> for JournalEntry
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        // syslog(3) priorities.
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        let mut fields = JournalFields::default();
        event.record(&mut fields);
        let JournalFields { message, summary, fields } = fields;
        writeln!(
            out,
            "PRIORITY={priority}\nSYSLOG_IDENTIFIER=postern\nTARGET={}",
            event.metadata().target()
        )?;
        writeln!(out, "MESSAGE={message}{summary}")?;
        out.write_str(&fields)
    }
}

#[derive(Default)]
struct JournalFields {
    message: String,
    summary: String,
    fields: String,
}

impl JournalFields {
    fn take(&mut self, name: &str, value: &str) {
        // The simple form of a field has no line end in it.
        let value = value.replace(['\n', '\r'], " ");
        if name == "message" {
            self.message = value;
            return;
        }
        // Writing to a string does not fail.
        let _ = write!(self.summary, " {name}={value}");
        let name = name.strip_prefix("r#").unwrap_or(name).to_ascii_uppercase();
        let _ = writeln!(self.fields, "POSTERN_{name}={value}");
    }
}

impl Visit for JournalFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field.name(), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn what_libraries_log_is_for_debugging() {
        use Threshold::{Debug, Error, Info, Trace, Warn};
        for (threshold, own, others) in [
            (Error, "E", ""),
            (Warn, "EW", ""),
            (Info, "EWI", ""),
            (Debug, "EWID", "EW"),
            (Trace, "EWIDT", "EWIDT"),
        ] {
            let file = std::env::temp_dir().join(format!("postern-log-{}-{threshold:?}", std::process::id()));
            let writer = Arc::new(std::fs::File::create(&file).unwrap());
            let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::from(threshold));
            let subscriber = builder.with_ansi(false).with_level(false).without_time().with_writer(writer);
            let subscriber = subscriber.finish().with(threshold.targets());
            tracing::subscriber::with_default(subscriber, || {
                macro_rules! log {
                    ($target:literal) => {
                        tracing::error!(target: $target, "E");
                        tracing::warn!(target: $target, "W");
                        tracing::info!(target: $target, "I");
                        tracing::debug!(target: $target, "D");
                        tracing::trace!(target: $target, "T");
                    };
                }
                log!("postern::verdict");
                log!("hickory_net::dnssec");
            });
            let log = std::fs::read_to_string(&file).unwrap();
            std::fs::remove_file(file).unwrap();
            let of = |target: &str| -> String {
                log.lines().filter_map(|line| line.strip_prefix(target)?.strip_prefix(": ")).collect()
            };
            let found = (of("postern::verdict"), of("hickory_net::dnssec"));
            assert_eq!(found, (own.to_owned(), others.to_owned()), "{threshold:?}: {log}");
        }
    }

    #[test]
    fn a_journal_entry_has_its_fields_and_one_line_each() {
        let path = std::env::temp_dir().join(format!("postern-journal-{}", std::process::id()));
        let journal = UnixDatagram::bind(&path).unwrap();
        journal.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (queue, writer) = Queue::begin(Journal::connect(path.to_str().unwrap()).unwrap()).unwrap();
        let subscriber =
            tracing_subscriber::fmt().with_writer(move || queue.clone()).event_format(JournalEntry).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(queue_id = "A1", helo = "a\nMESSAGE=forged", r#ref = %"4QJ7", count = 3, "verdict");
        });
        drop(writer);
        let mut entry = [0; 2048];
        let length = journal.recv(&mut entry).unwrap();
        let entry = str::from_utf8(&entry[..length]).unwrap();
        std::fs::remove_file(path).unwrap();
        for line in [
            "PRIORITY=4",
            "SYSLOG_IDENTIFIER=postern",
            "POSTERN_QUEUE_ID=A1",
            "POSTERN_HELO=a MESSAGE=forged",
            "POSTERN_REF=4QJ7",
            "POSTERN_COUNT=3",
            "MESSAGE=verdict queue_id=A1 helo=a MESSAGE=forged ref=4QJ7 count=3",
        ] {
            assert!(entry.lines().any(|l| l == line), "{line:?} in {entry:?}");
        }
    }
}
