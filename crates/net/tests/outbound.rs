//! The link that comes back by itself.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::*;
use net::{DownReason, Full, Listener, ListenerLimits, Outbound, OutboundConfig, Status};
use wire::{ClientToken, Frame, NodeId};

fn config(to: SocketAddr, expect: NodeId) -> OutboundConfig {
    OutboundConfig {
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(40),
        ..OutboundConfig::new([to.into()], expect, Some(identity(2)))
    }
}

async fn until(outbound: &Outbound, wanted: impl Fn(Status) -> bool) -> Status {
    *soon(outbound.status().wait_for(|s| wanted(*s))).await.unwrap()
}

async fn rebind(at: SocketAddr) -> Listener {
    soon(async {
        loop {
            if let Ok(listener) = Listener::bind(at, &identity(1), ListenerLimits::default()).await
            {
                break listener;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn the_hello_comes_first_and_frames_go_both_ways() {
    let listener = listener(ListenerLimits::default()).await;
    let hello = Frame::Attach(ClientToken::new([4; 32]));
    let config = OutboundConfig {
        hello: vec![hello.clone()],
        ..config(listener.local_addr(), identity(1).node_id())
    };
    let mut outbound = Outbound::spawn(config);
    for n in 0..10 {
        outbound.try_send(Frame::Registered(n)).unwrap();
    }
    let incoming = accept(&listener).await;
    assert_eq!(incoming.peer, Some(identity(2).node_id()));
    let (mut reader, mut writer) = incoming.link.split();
    assert_eq!(soon(reader.read()).await.unwrap(), Some(hello));
    for n in 0..10 {
        assert_eq!(soon(reader.read()).await.unwrap(), Some(Frame::Registered(n)));
    }
    until(&outbound, Status::is_up).await;
    writer.feed(&Frame::Pong).await.unwrap();
    writer.feed(&Frame::Ping).await.unwrap();
    writer.send(&Frame::NotModified).await.unwrap();
    assert_eq!(soon(outbound.recv()).await, Some(Frame::NotModified));
    assert_eq!(soon(reader.read()).await.unwrap(), Some(Frame::Pong), "pings are answered unasked");
    // Shutdown sends what is queued and says goodbye.
    let sender = outbound.sender();
    for n in 0..500 {
        sender.try_send(Frame::Packet { epoch: n, packet: vec![0; 1000] }).unwrap();
    }
    let closing = tokio::spawn(outbound.shutdown());
    for _ in 0..500 {
        assert!(matches!(soon(reader.read()).await, Ok(Some(Frame::Packet { .. }))));
    }
    assert_eq!(soon(reader.read()).await, Ok(None));
    soon(closing).await.unwrap();
    assert_eq!(sender.try_send(Frame::Ping), Err(Full));
}

//= LINK-011
#[tokio::test]
async fn it_comes_back_after_a_restart_with_its_queue() {
    let first = listener(ListenerLimits::default()).await;
    let at = first.local_addr();
    let hello = OutboundConfig {
        hello: vec![Frame::GetDocument(None)],
        ..config(at, identity(1).node_id())
    };
    let outbound = Outbound::spawn(hello);
    let incoming = accept(&first).await;
    until(&outbound, Status::is_up).await;
    drop((first, incoming));
    let down = until(&outbound, |s| matches!(s, Status::Down(_))).await;
    assert!(matches!(down, Status::Down(DownReason::Closed | DownReason::Refused)), "{down:?}");
    until(&outbound, |s| s == Status::Down(DownReason::Refused)).await;
    for n in 0..50 {
        outbound.try_send(Frame::Registered(n)).unwrap();
    }
    assert_eq!(outbound.queued(), 50);
    let second = rebind(at).await;
    let (mut reader, _writer) = accept(&second).await.link.split();
    assert_eq!(soon(reader.read()).await, Ok(Some(Frame::GetDocument(None))));
    for n in 0..50 {
        assert_eq!(soon(reader.read()).await, Ok(Some(Frame::Registered(n))));
    }
    until(&outbound, Status::is_up).await;
    assert!(outbound.connects() >= 2);
    assert_eq!((outbound.queued(), outbound.dropped()), (0, 0));
}

//= LINK-012
#[tokio::test]
async fn while_it_is_down_the_queue_is_bounded_and_ages() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = OutboundConfig {
        queue: 3,
        max_age: Duration::from_millis(200),
        ..config(free, identity(1).node_id())
    };
    let outbound = Outbound::spawn(config);
    until(&outbound, |s| s == Status::Down(DownReason::Refused)).await;
    for n in 0..3 {
        outbound.try_send(Frame::Registered(n)).unwrap();
    }
    assert_eq!(outbound.try_send(Frame::Registered(3)), Err(Full));
    // Nothing but age makes room.
    soon(async {
        while outbound.try_send(Frame::Registered(4)).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!((outbound.dropped(), outbound.queued()), (3, 1));
    soon(outbound.shutdown()).await;
}

#[tokio::test]
async fn the_wrong_key_is_a_status_of_its_own() {
    let listener = listener(ListenerLimits::default()).await;
    let outbound = Outbound::spawn(config(listener.local_addr(), identity(9).node_id()));
    let status = until(&outbound, |s| matches!(s, Status::Down(_))).await;
    assert_eq!(status, Status::Down(DownReason::WrongKey));
    soon(outbound.shutdown()).await;
}

//= LINK-014
#[tokio::test]
async fn it_pings_when_idle_and_gives_up_without_an_answer() {
    let listener = listener(ListenerLimits::default()).await;
    let config = OutboundConfig {
        ping_after: Duration::from_millis(100),
        pong_timeout: Duration::from_millis(1500),
        ..config(listener.local_addr(), identity(1).node_id())
    };
    let outbound = Outbound::spawn(config);
    let (mut reader, mut writer) = accept(&listener).await.link.split();
    for _ in 0..8 {
        assert_eq!(soon(reader.read()).await, Ok(Some(Frame::Ping)));
        assert!(outbound.status().borrow().is_up());
        writer.send(&Frame::Pong).await.unwrap();
    }
    assert_eq!(outbound.connects(), 1);
    // No more answers.
    let status = until(&outbound, |s| matches!(s, Status::Down(_))).await;
    assert_eq!(status, Status::Down(DownReason::TimedOut));
}

//= LINK-014
#[tokio::test]
async fn it_pings_though_it_hears_or_sends_all_the_time() {
    for hears in [true, false] {
        let listener = listener(ListenerLimits::default()).await;
        let config = OutboundConfig {
            ping_after: Duration::from_millis(200),
            pong_timeout: Duration::from_secs(5),
            ..config(listener.local_addr(), identity(1).node_id())
        };
        let mut outbound = Outbound::spawn(config);
        let (mut reader, mut writer) = accept(&listener).await.link.split();
        let mut tick = tokio::time::interval(Duration::from_millis(30));
        soon(async {
            loop {
                tokio::select! {
                    _ = tick.tick() => if hears {
                        writer.send(&Frame::NotModified).await.unwrap();
                    } else {
                        outbound.try_send(Frame::NotModified).unwrap();
                    },
                    _ = outbound.recv() => {}
                    frame = reader.read() => if frame.unwrap() == Some(Frame::Ping) { break },
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn dropping_it_closes_the_link() {
    let listener = listener(ListenerLimits::default()).await;
    let outbound = Outbound::spawn(config(listener.local_addr(), identity(1).node_id()));
    let (mut reader, _writer) = accept(&listener).await.link.split();
    until(&outbound, Status::is_up).await;
    outbound.try_send(Frame::Registered(1)).unwrap();
    drop(outbound);
    assert_eq!(soon(reader.read()).await, Ok(Some(Frame::Registered(1))));
    assert_eq!(soon(reader.read()).await, Ok(None));
}
