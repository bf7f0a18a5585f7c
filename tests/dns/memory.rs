// SPDX-License-Identifier: GPL-3.0-or-later
//! A domain name system in memory: answers at once, counts its questions, and can be made to fail or to be slow.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use postern::dns::{Dns, DnsError, Records};

/// What a name has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    pub(crate) texts: Vec<String>,
    pub(crate) ipv4: Vec<Ipv4Addr>,
    pub(crate) ipv6: Vec<Ipv6Addr>,
    pub(crate) exchangers: Vec<String>,
}

/// All names, in lower case.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) names: Mutex<HashMap<String, Host>>,
    pub(crate) ttl: Mutex<Duration>,
    pub(crate) delay: Mutex<Duration>,
    pub(crate) broken: AtomicBool,
    pub(crate) asked: AtomicUsize,
}

impl Memory {
    pub(crate) fn new(names: impl IntoIterator<Item = (String, Host)>) -> Self {
        let memory = Self { names: Mutex::new(names.into_iter().collect()), ..Self::default() };
        *memory.ttl.lock().unwrap() = Duration::from_secs(300);
        memory
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    async fn answer<T>(&self, name: &str, pick: impl Fn(&Host) -> Vec<T>) -> Result<Records<T>, DnsError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let delay = *self.delay.lock().unwrap();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if self.broken.load(Ordering::Relaxed) {
            return Err(DnsError { name: name.to_owned(), why: "broken".into() });
        }
        let names = self.names.lock().unwrap();
        let host = names.get(&name.to_ascii_lowercase());
        let found = host.map(pick).unwrap_or_default();
        Ok(Records { found, exists: host.is_some(), ttl: *self.ttl.lock().unwrap(), validated: true })
    }
}

impl Dns for Memory {
    async fn texts(&self, name: &str) -> Result<Records<Vec<u8>>, DnsError> {
        self.answer(name, |host| host.texts.iter().map(|text| text.clone().into_bytes()).collect()).await
    }

    async fn ipv4(&self, name: &str) -> Result<Records<Ipv4Addr>, DnsError> {
        self.answer(name, |host| host.ipv4.clone()).await
    }

    async fn ipv6(&self, name: &str) -> Result<Records<Ipv6Addr>, DnsError> {
        self.answer(name, |host| host.ipv6.clone()).await
    }

    async fn exchangers(&self, name: &str) -> Result<Records<String>, DnsError> {
        self.answer(name, |host| host.exchangers.clone()).await
    }

    async fn names(&self, address: IpAddr) -> Result<Records<String>, DnsError> {
        panic!("{address}: nobody asks for reverse names");
    }
}
