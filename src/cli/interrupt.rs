// SPDX-License-Identifier: GPL-3.0-or-later
//! Ctrl-C while a command works: it is heard, so that the command can leave everything in order. A second one ends it at once.

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
    wake: Notify,
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
                    if again {
                        std::process::exit(130);
                    }
                    heard.came.store(true, Ordering::Release);
                    heard.wake.notify_one();
                }
            });
        })?;
        Ok(interrupt)
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
