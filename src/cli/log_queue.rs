// SPDX-License-Identifier: GPL-3.0-or-later
//! The queue between those who log and the thread that writes: octets, taken out all at once.
//!
//! Waking a thread costs more than writing a line, so the writer, once woken, lingers a moment and then takes whatever
//! has come: at most fifty wake-ups a second, however busy the server is. Nobody who logs ever waits for the sink; when
//! [`CAPACITY`] is used up, entries are dropped and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Octets that may wait to be written: some ten thousand entries.
const CAPACITY: usize = 16 << 20;
/// How long the writer lets entries gather.
const LINGER: Duration = Duration::from_millis(20);

/// Takes entries; one `write` is one entry. Clones share the queue.
#[derive(Clone, Debug)]
pub(super) struct Queue(Arc<Shared>);

/// Writes what waits when it is dropped, and then ends.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    more: Condvar,
    dropped: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Where each waiting entry ends.
    ends: Vec<usize>,
    asleep: bool,
    closed: bool,
}

impl Shared {
    /// Nothing that runs under the lock can leave the state half done, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// A queue whose entries are written to the sink, each with one `write`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn begin(sink: impl Write + Send + 'static) -> io::Result<(Self, Writer)> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("postern-log".into()).spawn(move || write_all(&theirs, sink))?;
        Ok((Self(Arc::clone(&shared)), Writer { shared, thread: Some(thread) }))
    }

    /// Entries dropped because the queue was full.
    pub(super) fn dropped(&self) -> usize {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Write for Queue {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.waiting.len() + entry.len() > CAPACITY {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(entry.len());
        }
        state.waiting.extend_from_slice(entry);
        let end = state.waiting.len();
        state.ends.push(end);
        let wake = std::mem::take(&mut state.asleep);
        drop(state);
        if wake {
            self.0.more.notify_one();
        }
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.more.notify_one();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

fn write_all(shared: &Shared, mut sink: impl Write) {
    let (mut batch, mut ends) = (Vec::new(), Vec::new());
    loop {
        let mut state = shared.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return;
            }
            state.asleep = true;
            state = shared.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.closed {
            state = shared.more.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut state.waiting, &mut batch);
        std::mem::swap(&mut state.ends, &mut ends);
        drop(state);
        let mut from = 0;
        for end in ends.drain(..) {
            // A sink that is gone (a closed pipe) must not stop the server.
            let _ = sink.write_all(&batch[from..end]);
            from = end;
        }
        let _ = sink.flush();
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A sink that can be held up, and keeps each write.
    struct Sink(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>);

    impl Write for Sink {
        fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(entry.to_vec());
            Ok(entry.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_sink_holds_nobody_up_and_loses_only_what_does_not_fit() {
        let (go, held) = mpsc::channel();
        let (told, written) = mpsc::channel();
        let (mut queue, writer) = Queue::begin(Sink(held, told)).unwrap();
        let entry = vec![b'x'; 1 << 20];
        for _ in 0..40 {
            queue.write_all(&entry).unwrap();
        }
        // Sixteen wait, as many may be under way.
        let dropped = queue.dropped();
        assert!((8..=24).contains(&dropped), "{dropped}");
        drop(go);
        drop(writer);
        assert_eq!(written.iter().filter(|e| e.len() == entry.len()).count(), 40 - dropped);
    }

    #[test]
    fn what_waits_at_the_end_is_written_in_order() {
        let (go, held) = mpsc::channel();
        drop(go);
        let (told, written) = mpsc::channel();
        let (queue, writer) = Queue::begin(Sink(held, told)).unwrap();
        for number in 0..1000 {
            write!(queue.clone(), "{number}").unwrap();
        }
        drop(writer);
        let want: Vec<Vec<u8>> = (0..1000).map(|n: i32| n.to_string().into_bytes()).collect();
        assert_eq!(written.iter().collect::<Vec<_>>(), want);
    }
}
