// SPDX-License-Identifier: GPL-3.0-or-later
//! The part of `postern check` that asks servers of directories: do they answer, let us in, and have something to tell? The
//! answer is broken off at the first object, so that it costs neither side much. What fails is a warning: the service copes.

use crate::config::{Config, Directory, DirectorySource, Problem, Problems};
use crate::directories::{Record, Sink, SinkError, source_of};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::timeout;

/// How long a server may take for its first object.
const LIMIT: Duration = Duration::from_secs(20);

/// Asks every server of a directory and says what is wrong.
pub(super) async fn check(config: &Config, problems: &mut Problems) {
    let servers = config.directories.iter().filter(|directory| match &directory.source {
        DirectorySource::Ldap(_) | DirectorySource::Sql(_) | DirectorySource::Graph(_) => true,
        DirectorySource::List(_) | DirectorySource::Csv(_) | DirectorySource::Ldif(_) => false,
    });
    for problem in join_all(servers.map(ask)).await.into_iter().flatten() {
        problems.push(problem);
    }
}

async fn ask(directory: &Directory) -> Option<Problem> {
    let Directory { name, source: _, rules: _, place } = directory;
    let mut sink = First(false);
    let why = match timeout(LIMIT, source_of(directory).sync(None, &mut sink)).await {
        _ if sink.0 => return None,
        Ok(Ok(_)) => "it has nobody".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", LIMIT.as_secs()),
    };
    let help = "what is in force of it stays; `--offline` leaves such checks out";
    Some(Problem::warning(place.clone(), format!("`{name}` cannot be synced now: {why}")).help(help))
}

/// Takes no more than the first word.
struct First(bool);

impl First {
    fn stop(&mut self) -> Result<(), SinkError> {
        self.0 = true;
        Err(SinkError::Stopped)
    }
}

impl Sink for First {
    fn record(&mut self, _: Record) -> Result<(), SinkError> {
        self.stop()
    }

    fn membership(&mut self, _: &str, _: &str) -> Result<(), SinkError> {
        self.stop()
    }

    fn removed(&mut self, _: &str) -> Result<(), SinkError> {
        Ok(())
    }

    fn invalid(&mut self, _: &str, _: &str, _: &str) -> Result<(), SinkError> {
        Ok(())
    }

    fn passed_over(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
