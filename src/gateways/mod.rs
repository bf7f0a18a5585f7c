// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: who may hand us mail, from the configuration and the files it names.
//!
//! A network file has one network or address a line; `#` begins a comment, also behind a network. A malformed line
//! refuses the whole file. Nothing is kept fresh by itself yet: a reload reads everything again.

use crate::config::{self, NetworkList, Problems};
use crate::policy;
use std::sync::Arc;

/// Reads the networks of a gateway.
pub fn load(gateway: &config::Gateway, problems: &mut Problems) -> policy::Gateway {
    let config::Gateway { name, networks, files } = gateway;
    let mut networks = networks.clone();
    for file in files {
        let mut list = NetworkList::default();
        file.read("network", problems, |entry, found| {
            let written = entry.text.split('#').next().unwrap_or_default().trim();
            list.add(written, &entry.place(), |problem| found.push(problem));
        });
        networks.extend(list.finish(|_| {}));
    }
    policy::Gateway { name: Arc::clone(name), networks: networks.into_iter().collect() }
}
