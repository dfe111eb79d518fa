//! A relay alone: TLS in, unwrap, TLS out, no delay.

use std::time::Instant;

use mix::directory::{sign_descriptor, verify};
use mix::epoch::EpochKeys;
use mix::geometry;
use net::{Identity, Link, LinkLimits, Listener, ListenerLimits};
use nodes::OrFail;
use server::config::DirectoryConfig;
use server::{Directory, NodeConfig};
use sphinx::{Command, PathHop, PrivateKey, PublicKey};
use wire::document::{NetworkDocument, NodeDescriptor, Role, VERSION};
use wire::{Frame, NodeId};

use super::{Bound, Figure, broken, per_second, thread_cpu};
use api::Failure;

const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

pub(super) async fn run(packets: u32) -> Result<Vec<Figure>, Failure> {
    let scratch = jail::Scratch::new().or_fail()?;
    let config =
        DirectoryConfig { listen: LOOPBACK.into(), mean_delay_ms: 0, ..DirectoryConfig::default() };
    let directory = Directory::start(&scratch.path().join("directory"), &config).await.or_fail()?;

    // The relay has a thread and a runtime of its own, so that its CPU time can be told from
    // everybody else's.
    let relay_runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    let relay_handle = relay_runtime.handle().clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _ = relay_runtime.block_on(stopped);
    });
    let (dir, pointer) = (scratch.path().join("relay"), directory.pointer.clone());
    let node = NodeConfig::local(Role::Relay, dir, pointer, directory.token);
    let node = NodeConfig { rate: 1_000_000, ..node };
    let relay = relay_handle.spawn(server::relay::start(node)).await.map_err(broken)?.or_fail()?;

    let mut sink = Sink::start(&directory).await?;
    directory.lists(2, 0).await;
    let document = sink.document(&directory).await?;
    eprintln!("building {packets} packets");
    let (epoch, built) = build(&document, &relay.id, &sink.id, packets)?;
    let packet_len = built.first().map_or(0, Vec::len);

    let link = net::connect(relay.addresses[0], relay.id, None, &LinkLimits::default())
        .await
        .map_err(broken)?;
    let (_reader, mut writer) = link.split();
    let mut incoming = sink.accept().await?;
    let cpu = || relay_handle.spawn(async { thread_cpu() });
    let before = cpu().await.map_err(broken)?;
    let begun = Instant::now();
    let count = built.len();
    let feed = async {
        for packet in built {
            writer.feed(&Frame::Packet { epoch, packet }).await?;
        }
        writer.flush().await
    };
    let drain = async {
        let mut seen = 0;
        while seen < count {
            match incoming.0.read().await? {
                Some(Frame::Packet { .. }) => seen += 1,
                Some(_) => {}
                None => break,
            }
        }
        Ok::<usize, net::Error>(seen)
    };
    let (fed, seen) = tokio::join!(feed, drain);
    fed.map_err(broken)?;
    let seen = seen.map_err(broken)?;
    let wall = begun.elapsed();
    let used = cpu().await.map_err(broken)?.saturating_sub(before);
    let _ = stop.send(());
    directory.stop().await;
    drop(thread);
    if seen < count {
        return Err(broken(format!("{seen} of {count} packets came out")));
    }
    Ok(vec![
        Figure::new("packet length", packet_len as f64, "bytes"),
        Figure::new("through the relay, wall clock", per_second(count, wall), "packets/s"),
        Figure::new("through the relay, one core of its own", per_second(count, used), "packets/s")
            .within(Bound::AtLeast, 10_000.0),
    ])
}

/// The next hop: a node that is registered like any other and counts what it gets.
struct Sink {
    id: NodeId,
    listener: Listener,
    /// Keeps the sink present at the directory.
    _registration: (net::LinkReader, net::LinkWriter),
}

impl Sink {
    async fn start(directory: &Directory) -> Result<Self, Failure> {
        let identity = Identity::generate(&mut rand::rng());
        let listener = Listener::bind(LOOPBACK.into(), &identity, ListenerLimits::default())
            .await
            .map_err(broken)?;
        let mut link = dial(directory, Some(&identity)).await?.split();
        let document = fetch(directory, &mut link).await?;
        let mut keys = EpochKeys::new(geometry::to_scheme(document.geometry.scheme));
        keys.advance(document.epoch, &mut rand::rng()).map_err(broken)?;
        let descriptor = NodeDescriptor {
            version: VERSION,
            role: Role::Relay,
            id: identity.node_id(),
            addresses: vec![listener.local_addr().into()],
            region: None,
            owner: None,
            rate: 1,
            keys: keys.public_from(document.epoch),
            processing: None,
            both_ways: true,
        };
        let signed = wire::encode(&sign_descriptor(identity.seed(), &descriptor));
        link.1
            .send(&Frame::Register { token: directory.token, descriptor: signed })
            .await
            .map_err(broken)?;
        while !matches!(link.0.read().await.map_err(broken)?, Some(Frame::Registered(_)) | None) {}
        Ok(Sink { id: identity.node_id(), listener, _registration: link })
    }

    async fn document(&mut self, directory: &Directory) -> Result<NetworkDocument, Failure> {
        let mut link = dial(directory, None).await?.split();
        fetch(directory, &mut link).await
    }

    /// The relay's link to us: it dials every node of the document.
    async fn accept(&mut self) -> Result<(net::LinkReader, net::LinkWriter), Failure> {
        Ok(self.listener.accept().await.map_err(broken)?.link.split())
    }
}

async fn dial(directory: &Directory, me: Option<&Identity>) -> Result<Link, Failure> {
    let at = directory.pointer.directories.first().ok_or_else(|| broken("no directory"))?;
    net::connect(at.address, at.id, me, &LinkLimits::default()).await.map_err(broken)
}

async fn fetch(
    directory: &Directory,
    (reader, writer): &mut (net::LinkReader, net::LinkWriter),
) -> Result<NetworkDocument, Failure> {
    writer.send(&Frame::GetDocument(None)).await.map_err(broken)?;
    loop {
        match reader.read().await.map_err(broken)? {
            Some(Frame::Document(bytes)) => {
                let document = verify(&bytes, &directory.pointer.network).map_err(broken)?;
                return Ok((*document).clone());
            }
            // "Not ready": the first document is pushed when it is there.
            Some(_) => {}
            None => return Err(broken("the directory closed the link")),
        }
    }
}

/// Packets over relay, sink and two hops that do not exist: the relay is the only one to open a
/// layer.
fn build(
    document: &NetworkDocument,
    relay: &NodeId,
    sink: &NodeId,
    packets: u32,
) -> Result<(u32, Vec<Vec<u8>>), Failure> {
    let sphinx_geometry = geometry::to_sphinx(&document.geometry).map_err(broken)?;
    let scheme = sphinx_geometry.scheme();
    let key = |id: &NodeId| {
        let bytes = document.node(id).and_then(|n| n.key_for(document.epoch)).unwrap_or_default();
        PublicKey::from_bytes(scheme, bytes).map_err(broken)
    };
    let hop = |id: [u8; 32], key: PublicKey, command| PathHop { id, key, commands: vec![command] };
    let nobody = PrivateKey::generate(scheme, &mut rand::rng()).map_err(broken)?;
    let path = [
        hop(*relay.as_bytes(), key(relay)?, Command::Delay(0)),
        hop(*sink.as_bytes(), key(sink)?, Command::Delay(0)),
        hop([1; 32], nobody.public().clone(), Command::Delay(0)),
        hop([2; 32], nobody.public().clone(), Command::Recipient([0; 32])),
    ];
    let payload = vec![7; sphinx_geometry.forward_payload_len()];
    let built = (0..packets)
        .map(|_| {
            sphinx::build(&sphinx_geometry, &path, &payload, &mut rand::rng())
                .map(sphinx::Packet::into_bytes)
        })
        .collect::<Result<_, _>>()
        .map_err(broken)?;
    Ok((mix::relay::low_bits(document.epoch), built))
}
