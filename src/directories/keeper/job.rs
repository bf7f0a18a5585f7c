// SPDX-License-Identifier: GPL-3.0-or-later
//! Work of the keeper that takes time: a sync, and loading what is in force after it.

use super::Stop;
use crate::config;
use crate::directories::shelf::{Loaded, Shelf, ShelfError};
use crate::directories::source::Source;
use crate::directories::sync::{Clock, Outcome, Synced, Syncing};
use crate::mail::DomainPattern;
use crate::store::Stamp;
use std::ops::ControlFlow;
use std::sync::Arc;

/// One piece of work.
pub(super) struct Job {
    pub(super) directory: Arc<config::Directory>,
    pub(super) source: Arc<dyn Source>,
    pub(super) shelf: Shelf,
    pub(super) served: Arc<[DomainPattern]>,
    pub(super) clock: Clock,
    /// Whether the source is asked first.
    pub(super) sync: bool,
    /// Whether it is loaded even if the sync has put nothing new in force.
    pub(super) load: bool,
}

/// What came of it.
pub(super) struct Done {
    /// Nothing where no sync was asked for, or it was broken off.
    pub(super) synced: Option<Synced>,
    /// Nothing where it was not loaded anew.
    pub(super) loaded: Option<Result<Option<Loaded>, ShelfError>>,
}

impl Job {
    /// Does it, until it is told to stop.
    pub(super) async fn run(self, stop: &Stop) -> Done {
        let Self { directory, source, shelf, served, clock, sync, mut load } = self;
        let mut synced = None;
        if sync {
            let watch = |_| if stop.is_said() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            let sync = Syncing {
                directory: &directory,
                source: &*source,
                own: true,
                shelf: &shelf,
                served: &served,
                clock: &clock,
                watch: &watch,
            };
            tokio::select! {
                done = sync.run() => {
                    let was_stopped =
                        matches!(&done.outcome, Outcome::Failed { error, .. } if error.is_stop());
                    synced = Some(done).filter(|_| !was_stopped);
                }
                () = stop.heard() => return Done { synced: None, loaded: None },
            }
            load |= synced.as_ref().is_some_and(|synced| matches!(synced.outcome, Outcome::Applied(_)));
        }
        let loaded = (load && !stop.is_said()).then(|| shelf.load(&directory.rules, Stamp::from((clock)())));
        Done { synced, loaded }
    }
}
