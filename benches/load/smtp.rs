// SPDX-License-Identifier: GPL-3.0-or-later
//! Sends mails one after another through one SMTP session of an idle MTA and times each.
//!
//! Ten headers, one recipient, no pipelining: what a mail takes when nothing else happens, milter included.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Mails before the timed ones: the first start processes and fill caches.
const WARM_UP: u32 = 5;

struct Session {
    reader: BufReader<TcpStream>,
    line: String,
}

impl Session {
    fn command(&mut self, text: &str, class: char) -> Result<(), String> {
        self.reader.get_mut().write_all(text.as_bytes()).map_err(|e| e.to_string())?;
        self.reply(class)
    }

    fn reply(&mut self, class: char) -> Result<(), String> {
        loop {
            self.line.clear();
            self.reader.read_line(&mut self.line).map_err(|e| format!("no answer from the MTA: {e}"))?;
            match self.line.as_bytes().get(3) {
                Some(b'-') => {}
                _ if self.line.starts_with(class) => return Ok(()),
                _ => return Err(format!("the MTA answered {:?}", self.line.trim_end())),
            }
        }
    }
}

/// Milliseconds of each mail, in ascending order.
pub(crate) fn run(to: SocketAddr, mails: u32, from: &str, rcpt: &str) -> Result<Vec<f64>, String> {
    let stream = TcpStream::connect(to).map_err(|e| format!("{to}: {e}"))?;
    stream
        .set_nodelay(true)
        .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
        .map_err(|e| e.to_string())?;
    let mut session = Session { reader: BufReader::new(stream), line: String::new() };
    let mut data = format!("From: {from}\r\nTo: {rcpt}\r\nSubject: one idle session\r\n");
    data.push_str("Date: Sat, 21 Nov 2026 18:00:00 +0000\r\nMessage-ID: <1.load@client.example>\r\n");
    for name in ["A", "B", "C", "D", "E"] {
        data.push_str("X-Field-");
        data.push_str(name);
        data.push_str(": an ordinary header value of some length\r\n");
    }
    data.push_str("\r\nHello.\r\n.\r\n");
    session.reply('2')?;
    session.command("EHLO client.example\r\n", '2')?;
    let mut millis = Vec::new();
    for number in 0..mails + WARM_UP {
        let begin = Instant::now();
        session.command(&format!("MAIL FROM:<{from}>\r\n"), '2')?;
        session.command(&format!("RCPT TO:<{rcpt}>\r\n"), '2')?;
        session.command("DATA\r\n", '3')?;
        session.command(&data, '2')?;
        if number >= WARM_UP {
            millis.push(begin.elapsed().as_secs_f64() * 1e3);
        }
    }
    session.command("QUIT\r\n", '2')?;
    millis.sort_by(f64::total_cmp);
    Ok(millis)
}
