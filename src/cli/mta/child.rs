// SPDX-License-Identifier: GPL-3.0-or-later
//! Runs a program of the MTA's, without a shell, and takes what it prints: at most so much, within so long.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::runtime;

/// How long a program may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How much it may print on each output, in octets. All of `postconf` is about 40,000.
const LIMIT: u64 = 4 << 20;

/// Runs a program to its end.
pub(super) fn run(program: &str, arguments: &[&OsStr]) -> io::Result<Output> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{program}: {error}"));
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        tokio::time::timeout(DEADLINE, to_its_end(program, arguments)).await.unwrap_or_else(|_| {
            let what = format!("it took more than {} seconds", DEADLINE.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, what))
        })
    });
    ended.map_err(named)
}

async fn to_its_end(program: &str, arguments: &[&OsStr]) -> io::Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // It ends with this function, whichever way that ends.
    let mut child = command.kill_on_drop(true).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(all(out), all(err))?;
    let status = child.wait().await?;
    Ok(Output { status, stdout, stderr })
}

async fn all(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if let Some(stream) = stream {
        stream.take(LIMIT + 1).read_to_end(&mut text).await?;
    }
    if text.len() as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it prints without end"));
    }
    Ok(text)
}
