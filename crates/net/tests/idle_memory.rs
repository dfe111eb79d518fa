//! What an idle link costs.

mod common;

use common::*;
use net::{LinkLimits, ListenerLimits, connect};
use wire::Frame;

/// Resident memory of this process, bytes; `None` where /proc is not.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|l| l.starts_with("VmRSS:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Links that the limit on open files allows, both ends in this process.
fn affordable(wanted: usize) -> usize {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = text
        .lines()
        .find(|l| l.starts_with("Max open files"))
        .and_then(|l| l.split_whitespace().nth(3));
    let files = files.and_then(|n| n.parse().ok()).unwrap_or(1024usize);
    wanted.min(files.saturating_sub(64) / 2)
}

#[tokio::test]
async fn an_idle_link_costs_little() {
    let listener = listener(ListenerLimits::default()).await;
    let to = listener.local_addr().into();
    let expect = identity(1).node_id();
    let limits = LinkLimits::default();
    let links = affordable(1000);
    let mut held = Vec::new();
    let mut before = None;
    for n in 0..links + 20 {
        if n == 20 {
            // What the first ones bring up once is not counted.
            before = resident();
        }
        let (link, incoming) = tokio::join!(connect(to, expect, None, &limits), accept(&listener));
        let (mut reader, mut writer) = link.unwrap().split();
        let (mut far_reader, mut far_writer) = incoming.link.split();
        // Each has carried large frames both ways before it falls idle.
        let packet = Frame::Packet { epoch: 0, packet: vec![1; 14_500] };
        for _ in 0..10 {
            writer.feed(&packet).await.unwrap();
        }
        writer.flush().await.unwrap();
        for _ in 0..10 {
            far_reader.read().await.unwrap();
        }
        far_writer.send(&packet).await.unwrap();
        reader.read().await.unwrap();
        let task = tokio::spawn(async move {
            let _ = (reader.read().await, writer);
        });
        let far_task = tokio::spawn(async move {
            let _ = (far_reader.read().await, far_writer);
        });
        held.push((task, far_task));
        tokio::task::yield_now().await;
    }
    let (Some(before), Some(after)) = (before, resident()) else {
        println!("skipped: this system does not tell resident memory");
        return;
    };
    let each = after.saturating_sub(before) / links;
    println!("{links} idle links: {each} B per link, both ends, {} B per end", each / 2);
    assert_eq!(listener.connections(), links + 20);
    assert!(each < 60 * 1024, "{each} B per link, both ends");
}
