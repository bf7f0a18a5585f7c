// SPDX-License-Identifier: GPL-3.0-or-later
//! Ctrl-C while a command does what it has to leave in order: it is heard then. At any other time, and the second time, it
//! ends the command at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Listens for SIGINT and SIGTERM.
#[derive(Debug, Default)]
pub(super) struct Interrupt {
    came: AtomicBool,
    /// Whether somebody wants to hear it.
    held: AtomicBool,
    wake: Notify,
}

/// Exit status of a program that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

/// While this is there, an interrupt is heard and ends nothing.
#[derive(Debug)]
pub(super) struct Held<'a>(&'a Interrupt);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.store(false, Ordering::Release);
    }
}

impl Interrupt {
    /// From now on they are heard. They have a thread of their own, because work may not let go of its own for long.
    pub(super) fn watch() -> io::Result<Arc<Self>> {
        let interrupt = Arc::new(Self::default());
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]
        };
        let heard = Arc::clone(&interrupt);
        thread::Builder::new().name("postern-signals".into()).spawn(move || {
            runtime.block_on(async move {
                let [interrupt, terminate] = &mut signals;
                for again in [false, true] {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if again || !heard.held.load(Ordering::Acquire) {
                        std::process::exit(INTERRUPTED);
                    }
                    heard.came.store(true, Ordering::Release);
                    heard.wake.notify_one();
                }
            });
        })?;
        Ok(interrupt)
    }

    /// From now on, until what this gives is dropped, one is only heard.
    pub(super) fn hold(&self) -> Held<'_> {
        self.held.store(true, Ordering::Release);
        Held(self)
    }

    /// Whether one came.
    pub(super) fn came(&self) -> bool {
        self.came.load(Ordering::Acquire)
    }

    /// Waits until one comes. For one who waits.
    pub(super) async fn comes(&self) {
        if !self.came() {
            self.wake.notified().await;
        }
    }
}
