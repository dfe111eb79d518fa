//! What a listener bears.

mod common;

use std::time::Duration;

use common::*;
use net::{Error, LinkLimits, Listener, ListenerLimits, connect};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use wire::{ErrorKind, Frame};

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = listener(ListenerLimits::default()).await;
    let at = first.local_addr();
    let error = Listener::bind(at, &identity(2), ListenerLimits::default()).await.unwrap_err();
    assert_eq!(error, Error::PortInUse { port: at.port() });
    assert_eq!(error.kind(), ErrorKind::LocalConfig);
    assert!(error.to_string().contains(&at.port().to_string()));
    let elsewhere = "192.0.2.1:0".parse().unwrap();
    let error =
        Listener::bind(elsewhere, &identity(2), ListenerLimits::default()).await.unwrap_err();
    assert_eq!(error, Error::NotOurAddress);
}

#[tokio::test]
async fn a_restart_takes_the_same_port_at_once() {
    let first = listener(ListenerLimits::default()).await;
    let at = first.local_addr();
    let expect = identity(1).node_id();
    let me = LinkLimits::default();
    let (link, incoming) = tokio::join!(connect(at.into(), expect, None, &me), accept(&first));
    // The side that closes first keeps TIME_WAIT: let that be the listener's.
    drop(incoming);
    let (mut reader, _writer) = link.unwrap().split();
    let _ = soon(reader.read()).await;
    drop(first);
    let again = soon(async {
        loop {
            // The old socket closes when its task has ended, which is soon and not at once.
            match Listener::bind(at, &identity(1), ListenerLimits::default()).await {
                Ok(listener) => break listener,
                Err(error) => assert_eq!(error, Error::PortInUse { port: at.port() }),
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let (link, _incoming) = tokio::join!(connect(at.into(), expect, None, &me), accept(&again));
    assert!(link.is_ok());
}

//= LINK-010
#[tokio::test]
async fn over_the_maximum_is_closed_at_once_and_places_return() {
    let listener = listener(ListenerLimits { max_connections: 3, ..Default::default() }).await;
    let to = listener.local_addr().into();
    let expect = identity(1).node_id();
    let me = LinkLimits::default();
    let mut held = Vec::new();
    for _ in 0..3 {
        let (link, incoming) = tokio::join!(connect(to, expect, None, &me), accept(&listener));
        held.push((link.unwrap(), incoming));
    }
    assert_eq!(listener.connections(), 3);
    let error = soon(connect(to, expect, None, &me)).await.unwrap_err();
    assert_eq!(error, Error::HandshakeClosed);
    let (_, incoming) = held.pop().unwrap();
    let (reader, writer) = incoming.link.split();
    drop(reader);
    assert_eq!(listener.connections(), 3, "one half still holds the socket");
    drop(writer);
    assert_eq!(listener.connections(), 2);
    let (link, _incoming) = tokio::join!(connect(to, expect, None, &me), accept(&listener));
    assert!(link.is_ok());
}

//= LINK-009
#[tokio::test]
async fn stalled_handshakes_block_nobody_and_end() {
    let link = LinkLimits { handshake_timeout: Duration::from_millis(500), ..Default::default() };
    let listener = listener(ListenerLimits { link, ..Default::default() }).await;
    let mut stalled = Vec::new();
    for _ in 0..50 {
        stalled.push(TcpStream::connect(listener.local_addr()).await.unwrap());
    }
    let expect = identity(1).node_id();
    let (good, incoming) = tokio::join!(
        connect(listener.local_addr().into(), expect, None, &LinkLimits::DEFAULT),
        accept(&listener)
    );
    assert!(good.is_ok());
    drop(incoming);
    for mut tcp in stalled {
        let mut end = Vec::new();
        let _ = soon(tcp.read_to_end(&mut end)).await;
    }
    assert_eq!(listener.connections(), 0);
}

//= LINK-009
#[tokio::test]
async fn when_too_many_shake_hands_the_oldest_goes() {
    // The timeout is far off: only eviction can end one.
    let listener = listener(ListenerLimits { max_handshakes: 4, ..Default::default() }).await;
    let mut stalled = Vec::new();
    for _ in 0..4 {
        stalled.push(TcpStream::connect(listener.local_addr()).await.unwrap());
    }
    let expect = identity(1).node_id();
    let (good, _incoming) = tokio::join!(
        connect(listener.local_addr().into(), expect, None, &LinkLimits::DEFAULT),
        accept(&listener)
    );
    assert!(good.is_ok());
    let mut end = Vec::new();
    let _ = soon(stalled[0].read_to_end(&mut end)).await;
    assert!(end.is_empty());
}

#[tokio::test]
async fn links_outlive_the_listener() {
    let listener = listener(ListenerLimits::default()).await;
    let to = listener.local_addr();
    let me = LinkLimits::default();
    let (link, incoming) =
        tokio::join!(connect(to.into(), identity(1).node_id(), None, &me), accept(&listener));
    drop(listener);
    let (mut reader, _writer) = link.unwrap().split();
    let (_reader, mut writer) = incoming.link.split();
    writer.send(&Frame::Pong).await.unwrap();
    assert_eq!(soon(reader.read()).await, Ok(Some(Frame::Pong)));
    // The kernel refuses once the listening socket is closed.
    soon(async {
        while connect(to.into(), identity(1).node_id(), None, &short()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
