// SPDX-License-Identifier: GPL-3.0-or-later
//! Two MTA sides that others wrote: miltertest (on Lua) and the crate indymilter-test.

use crate::support::{Door, GATEWAY, STRANGER, policy};
use indymilter_test::{MacroStage, ProtoOpts, Status, TestConnection};
use postern::listen::{Peer, Stream};
use postern::milter;
use std::process::Stdio;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::process::Command;

/// Serves a door over TCP and says on which port.
async fn listen(door: &Door) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (gate, draining) = (Arc::clone(&door.judge), door.draining());
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let stream = Stream::tcp(stream);
            let (gate, draining) = (Arc::clone(&gate), draining.clone());
            tokio::spawn(async move { milter::serve(stream, Peer::Tcp(peer), gate, draining).await });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn miltertest_plays_three_messages() {
    let door = Door::new(policy());
    let port = listen(&door).await;
    let output = Command::new("miltertest")
        .args(["-D", &format!("PORT={port}"), "-D", &format!("CLIENT={GATEWAY}"), "-s"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/milter/miltertest.lua"))
        .stdin(Stdio::null())
        .output()
        .await
        .expect("miltertest is missing: apt-get install miltertest, or run tests/install.sh");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
}

/// With all that an MTA of today offers most stages are not answered; with nothing offered all of them are.
#[tokio::test(flavor = "multi_thread")]
async fn indymilter_test_plays_a_session() {
    for (options, quiet) in [(ProtoOpts::all(), Status::Noreply), (ProtoOpts::empty(), Status::Continue)] {
        let door = Door::new(policy());
        let port = listen(&door).await;
        let builder = TestConnection::configure().available_opts(options);
        let mut conn = builder.open_tcp(("127.0.0.1", port)).await.unwrap();
        let address: std::net::IpAddr = STRANGER.parse().unwrap();
        assert_eq!(conn.connect("client.example", (address, 4711)).await.unwrap(), quiet);
        assert_eq!(conn.helo("client.example").await.unwrap(), quiet);
        for _ in 0..2 {
            assert_eq!(conn.mail(["<x@elsewhere.example>"]).await.unwrap(), quiet);
            conn.macros(MacroStage::Rcpt, [("{rcpt_addr}", "ann@a.example")]).await.unwrap();
            let refused = conn.rcpt(["<ann@a.example>"]).await.unwrap();
            let refusal = matches!(&refused, Status::Reject { message: Some(text) } if text.to_string_lossy().starts_with("550 5.7.1 "));
            assert!(refusal, "{refused:?}");
            conn.macros(MacroStage::Rcpt, [("{rcpt_addr}", "ann@t.example")]).await.unwrap();
            assert_eq!(conn.rcpt(["<ann@t.example>"]).await.unwrap(), Status::Continue);
            assert_eq!(conn.data().await.unwrap(), quiet);
            assert_eq!(conn.header("X-Postern-Tag", "forged").await.unwrap(), quiet);
            assert_eq!(conn.eoh().await.unwrap(), quiet);
            let (actions, status) = conn.eom().await.unwrap();
            assert_eq!(status, Status::Continue);
            assert!(actions.has_delete_header("X-Postern-Tag", 1));
            assert!(actions.has_add_header("X-Postern-Loop", "mx.example"));
            assert!(actions.has_add_header("X-Postern-Tag", "source-not-gateway"));
        }
        conn.close().await.unwrap();
    }
}
