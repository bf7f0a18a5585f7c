// SPDX-License-Identifier: GPL-3.0-or-later
//! The records of a directory, one by one: from its snapshot, or from the file of a list that has none.

use super::Opened;
use crate::config::Directory;
use crate::directories::{Record, Sink, SinkError, Which, source_of};
use std::io;
use std::ops::ControlFlow;

/// Gives each record to `each`, until it breaks off.
pub(super) fn each(
    opened: &Opened,
    directory: &Directory,
    mut each: impl FnMut(Record) -> ControlFlow<()> + Send,
) -> io::Result<()> {
    if !directory.is_synced() {
        return read(directory, each);
    }
    let shelf = opened.shelf(directory);
    if shelf.state().map_err(io::Error::other)?.in_force.is_none() {
        let name = &directory.name;
        let what = if directory.rules.refresh.is_some() {
            format!("`{name}` was never synced; `postern directories sync {name}` asks its source")
        } else {
            format!("`{name}` was never imported; `postern directories import {name} FILE` does so")
        };
        return Err(io::Error::other(what));
    }
    let snapshot = shelf.open(Which::InForce).map_err(io::Error::other)?;
    for record in snapshot.records().map_err(io::Error::other)? {
        if each(record.map_err(io::Error::other)?).is_break() {
            break;
        }
    }
    Ok(())
}

/// How many addresses and whole domains a list has.
pub(super) fn count(directory: &Directory) -> io::Result<u64> {
    let mut number = 0;
    read(directory, |record| {
        number += record.addresses.len() as u64;
        ControlFlow::Continue(())
    })?;
    Ok(number)
}

fn read(directory: &Directory, each: impl FnMut(Record) -> ControlFlow<()> + Send) -> io::Result<()> {
    let source = source_of(directory);
    let mut sink = Each { each, done: false };
    let read = super::runtime()?.block_on(source.sync(None, &mut sink));
    if sink.done { Ok(()) } else { read.map(drop).map_err(io::Error::other) }
}

/// Gives records away as they come.
struct Each<F> {
    each: F,
    done: bool,
}

impl<F: FnMut(Record) -> ControlFlow<()> + Send> Sink for Each<F> {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        if (self.each)(record).is_break() {
            self.done = true;
            return Err(SinkError::Stopped);
        }
        Ok(())
    }

    fn membership(&mut self, _: &str, _: &str) -> Result<(), SinkError> {
        Ok(())
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
