// SPDX-License-Identifier: GPL-3.0-or-later
//! What `/proc` says about a process: CPU time of all its threads, resident memory now and at its peak.

use std::{fs, io, process};

/// The kernel reports CPU time to programs in hundredths of a second on every architecture it runs on here.
const MICROS_PER_TICK: u64 = 10_000;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_micros: u64,
    pub(crate) rss_kib: u64,
    pub(crate) peak_kib: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        // The name in parentheses may hold spaces; utime and stime are the 12th and 13th fields after it.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
        let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        Ok(Self { cpu_micros: ticks * MICROS_PER_TICK, rss_kib: kib("VmRSS:"), peak_kib: kib("VmHWM:") })
    }

    pub(crate) fn own() -> io::Result<Self> {
        Self::of(process::id())
    }
}
