//! A hub alone, over direct TLS links: durable puts, one put to many watchers, memory.

use std::time::{Duration, Instant};

use hub::client as box_protocol;
use net::{LinkLimits, LinkReader, LinkWriter};
use nodes::OrFail;
use server::config::HubConfig;
use server::{HubRole, NodeConfig};
use streams::{BoxClass, SealedBox, WriteCapability, pad};
use tokio::task::JoinSet;
use wire::document::Role;
use wire::hub::{Answer, Request};
use wire::id::AdmissionToken;
use wire::{DirectoryPointer, Frame, NetworkId, NetworkPointer, NodeId, RequestId};

use super::{Bound, Figure, broken, per_second, resident_mib};
use api::Failure;

/// Links that put boxes; each may put a thousand a second and twice that in a burst.
const WRITERS: usize = 64;
/// Puts of one link that wait for their answer.
const WINDOW: usize = 64;
/// Links that do nothing, for their memory.
const IDLE: usize = 500;

type Ends = (LinkReader, LinkWriter);

pub(super) async fn run(boxes: u32, watchers: u32) -> Result<Vec<Figure>, Failure> {
    raise_file_limit();
    let scratch = jail::Scratch::new().or_fail()?;
    let before = resident_mib();
    let mut hub = start(&scratch).await?;
    let idle = resident_mib();

    let mut links = Vec::new();
    for _ in 0..IDLE {
        links.push(dial(&hub).await?);
    }
    let per_link = (resident_mib() - idle) * 1024.0 / IDLE as f64;
    drop(links);

    eprintln!("sealing {boxes} boxes");
    let stored = puts(&hub, seal(boxes as usize)?).await?;
    eprintln!("opening {watchers} watchers");
    let (fan_out, last) = watch(&hub, watchers as usize).await?;
    hub.stop().await;
    eprintln!("the same with mosquitto");
    let fan_out_figure = Figure::new("one put to all watchers", fan_out, "deliveries/s");
    let peer = match super::mosquitto::fan_out(scratch.path(), watchers as usize).await? {
        Some((peer, peer_last)) => vec![
            fan_out_figure.within(Bound::AtLeast, peer),
            Figure::new("mosquitto over TLS, same payload", peer, "deliveries/s"),
            Figure::new("mosquitto, until the last has it", peer_last.as_secs_f64() * 1e3, "ms"),
        ],
        None => {
            eprintln!("mosquitto or openssl is not installed: no peer to compare with");
            vec![fan_out_figure]
        }
    };
    let mut figures = vec![
        Figure::new("durable puts", stored, "boxes/s").within(Bound::AtLeast, 20_000.0),
        Figure::new("until the last watcher has it", last.as_secs_f64() * 1e3, "ms"),
        Figure::new("memory that the hub adds to this process", idle - before, "MiB")
            .within(Bound::AtMost, 15.0),
        Figure::new("memory per idle link, both ends", per_link, "KiB").within(Bound::AtMost, 40.0),
    ];
    figures.extend(peer);
    Ok(figures)
}

async fn start(scratch: &jail::Scratch) -> Result<HubRole, Failure> {
    // Direct links need no document: nobody listens where this directory is said to be.
    let nowhere = "127.0.0.1:9".parse().map_err(broken)?;
    let pointer = NetworkPointer {
        network: NetworkId::new([0; 32]),
        directories: vec![DirectoryPointer { id: NodeId::new([0; 32]), address: nowhere }],
    };
    let token = AdmissionToken::new([0; 32]);
    let node = NodeConfig::local(Role::Hub, scratch.path().to_owned(), pointer, token);
    let node = NodeConfig { max_connections: 65_536, ..node };
    let config = HubConfig { member_puts_per_second: 10_000_000, ..HubConfig::default() };
    HubRole::start(node, &config).await.or_fail()
}

async fn dial(hub: &HubRole) -> Result<Ends, Failure> {
    let link = net::connect(hub.node.addresses[0], hub.node.id, None, &LinkLimits::default()).await;
    Ok(link.map_err(broken)?.split())
}

/// Consecutive boxes of one stream.
fn seal(count: usize) -> Result<Vec<SealedBox>, Failure> {
    let mut writer = WriteCapability::generate(&mut rand::rng());
    let body = pad(b"bench", BoxClass::Standard).map_err(broken)?;
    let mut boxes = Vec::with_capacity(count);
    for _ in 0..count {
        boxes.push(writer.seal(b"bench", &body).map_err(broken)?.into_sealed());
        writer = writer.next().map_err(broken)?;
    }
    Ok(boxes)
}

async fn puts(hub: &HubRole, boxes: Vec<SealedBox>) -> Result<f64, Failure> {
    let count = boxes.len();
    let mut shares: Vec<Vec<Request>> = vec![Vec::new(); WRITERS];
    for (n, sealed) in boxes.iter().enumerate() {
        shares[n % WRITERS].push(box_protocol::put(hub.member, sealed));
    }
    let mut links = Vec::new();
    for share in shares {
        links.push((dial(hub).await?, share));
    }
    let begun = Instant::now();
    let mut writers = JoinSet::new();
    for (ends, share) in links {
        writers.spawn(put_all(ends, share));
    }
    let mut stored = 0;
    while let Some(done) = writers.join_next().await {
        stored += done.map_err(broken)?.map_err(broken)?;
    }
    if stored < count {
        return Err(broken(format!("{stored} of {count} boxes were stored")));
    }
    Ok(per_second(count, begun.elapsed()))
}

/// Puts everything, a window at a time; how many were stored.
async fn put_all((mut reader, mut writer): Ends, share: Vec<Request>) -> Result<usize, net::Error> {
    let mut requests = share.into_iter().zip(0..).peekable();
    let (mut open, mut stored) = (0, 0);
    while open > 0 || requests.peek().is_some() {
        while open < WINDOW
            && let Some((request, n)) = requests.next()
        {
            writer.feed(&Frame::HubRequest(RequestId(n), request)).await?;
            open += 1;
        }
        writer.flush().await?;
        match reader.read().await? {
            Some(Frame::HubResponse(_, response)) => {
                open -= 1;
                stored += usize::from(
                    matches!(response.answer, Answer::Put(outcome) if outcome.is_stored()),
                );
            }
            Some(_) => {}
            None => break,
        }
    }
    Ok(stored)
}

/// Deliveries per second of one box to all watchers, and the time to the last.
async fn watch(hub: &HubRole, watchers: usize) -> Result<(f64, Duration), Failure> {
    let sealed = seal(1)?.remove(0);
    let get = box_protocol::get(hub.member, &[sealed.id], 60_000, false);
    let echo = box_protocol::echo(hub.member);
    let mut waiting = JoinSet::new();
    for _ in 0..watchers {
        let (mut reader, mut writer) = dial(hub).await?;
        writer.feed(&Frame::HubRequest(RequestId(1), get.clone())).await.map_err(broken)?;
        writer.send(&Frame::HubRequest(RequestId(2), echo.clone())).await.map_err(broken)?;
        // The echo comes after the get was taken: this watcher is in place.
        while !matches!(
            reader.read().await.map_err(broken)?,
            Some(Frame::HubResponse(RequestId(2), _)) | None
        ) {}
        waiting.spawn(async move {
            let got = reader.read().await;
            drop(writer);
            (got.is_ok_and(|f| f.is_some()), Instant::now())
        });
    }
    let (_reader, mut writer) = dial(hub).await?;
    let begun = Instant::now();
    writer
        .send(&Frame::HubRequest(RequestId(1), box_protocol::put(hub.member, &sealed)))
        .await
        .map_err(broken)?;
    let (mut delivered, mut last) = (0, begun);
    while let Some(done) = waiting.join_next().await {
        let (got, at) = done.map_err(broken)?;
        delivered += usize::from(got);
        last = last.max(at);
    }
    if delivered < watchers {
        return Err(broken(format!("{delivered} of {watchers} watchers got the box")));
    }
    Ok((per_second(watchers, last - begun), last - begun))
}

/// A thousand links have two thousand ends, all in this process.
fn raise_file_limit() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}
