//! A pool of ephemeral relays: new ones come before the old ones go, and of these nothing is left.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use net::LinkLimits;
use server::config::DirectoryConfig;
use server::primary::{Pool, PoolConfig, Seedling};
use server::{Directory, Node, NodeConfig};
use wire::document::{NetworkDocument, Role};
use wire::frame::{Credential, RefusedReason};
use wire::{Address, Frame, NodeId};

const NODES: usize = 4;
const SOON: Duration = Duration::from_secs(60);

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn directory(dir: &Path, enrolled: Vec<String>) -> Arc<Directory> {
    let config = DirectoryConfig {
        listen: any(),
        mean_delay_ms: 0,
        max_delay_ms: 10,
        tally: true,
        enrolled,
        ..DirectoryConfig::default()
    };
    Arc::new(Directory::start(dir, &config).await.unwrap())
}

fn relay(
    directory: &Directory,
    seedling: Seedling,
) -> impl Future<Output = Result<Node, server::Error>> + use<> {
    let (pointer, token) = (directory.pointer.clone(), directory.token);
    server::relay::start(NodeConfig {
        rate: 100,
        processing: seedling.processing,
        ..NodeConfig::local(Role::Relay, seedling.dir, pointer, token)
    })
}

fn config(base: &Path) -> PoolConfig {
    PoolConfig {
        nodes: NODES,
        base: base.to_owned(),
        patience: SOON,
        grace: Duration::from_millis(50),
    }
}

/// Asks a directory or relay for the document.
async fn ask(address: Address, id: NodeId, ask: Frame) -> Frame {
    let link = net::connect(address, id, None, &LinkLimits::default()).await.unwrap();
    let (mut reader, mut writer) = link.split();
    writer.send(&ask).await.unwrap();
    reader.read().await.unwrap().expect("an answer")
}

async fn ask_directory(directory: &Directory, what: Frame) -> Frame {
    let at = directory.pointer.directories[0];
    ask(at.address, at.id, what).await
}

fn entries(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

fn is_open(address: Address) -> bool {
    let Address::Ip(address) = address else { panic!("a port") };
    TcpStream::connect(address).is_ok()
}

//= DIR-009
#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_brings_new_relays_before_the_old_ones_go_and_erases_these() {
    let dir = tempfile::tempdir().unwrap();
    let pool_dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path(), Vec::new()).await;
    let of = directory.clone();
    let mut pool = Pool::start(directory.clone(), config(pool_dir.path()), move |s| relay(&of, s))
        .await
        .unwrap();
    assert_eq!(entries(pool_dir.path()), NODES);
    let mut seen: Vec<NodeId> = pool.nodes().iter().map(|n| n.0).collect();
    // A reader of every document there is.
    let at = directory.pointer.directories[0];
    let (mut reader, mut writer) =
        net::connect(at.address, at.id, None, &LinkLimits::default()).await.unwrap().split();
    writer.send(&Frame::GetDocument(None)).await.unwrap();
    let network = directory.pointer.network;
    let reading = tokio::spawn(async move {
        let mut listed: Vec<usize> = Vec::new();
        while let Ok(Some(frame)) = reader.read().await {
            let Frame::Document(bytes) = frame else { panic!("a document") };
            let document: NetworkDocument =
                (*mix::directory::verify(&bytes, &network).unwrap()).clone();
            assert!(document.tally && document.relays().all(|r| r.processing.is_some()));
            listed.push(document.relays().count());
        }
        listed
    });
    for _ in 0..3 {
        let old = pool.nodes();
        pool.cycle().await.unwrap();
        let new = pool.nodes();
        assert_eq!(new.len(), NODES);
        assert!(new.iter().all(|n| !seen.contains(&n.0)), "every relay has keys of its own");
        assert!(new.iter().all(|n| is_open(n.1)));
        assert!(
            old.iter().all(|n| !is_open(n.1) || new.iter().any(|m| m.1 == n.1)),
            "old addresses are dead"
        );
        assert_eq!(entries(pool_dir.path()), NODES, "of the old ones no file is left");
        seen.extend(new.iter().map(|n| n.0));
    }
    pool.stop().await;
    assert_eq!(entries(pool_dir.path()), 0);
    directory.stop().await;
    let listed = reading.await.unwrap();
    assert!(listed.iter().filter(|n| **n == 2 * NODES).count() >= 3, "{listed:?}");
    assert!(
        listed.iter().rev().skip(1).all(|n| *n >= NODES),
        "never fewer relays than before: {listed:?}"
    );
}

//= DIR-007, DIR-008
#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_document_goes_to_nodes_and_enrolled_clients_only() {
    let dir = tempfile::tempdir().unwrap();
    let pool_dir = tempfile::tempdir().unwrap();
    let key = || mix::directory::EnrolmentKey::generate(&mut rand::rng()).unwrap();
    let (mine, other, stranger) = (key(), key(), key());
    let directory =
        directory(dir.path(), vec![mine.public().to_text(), other.public().to_text()]).await;
    let of = directory.clone();
    // The relays come up: with their token they read the document.
    let pool = Pool::start(directory.clone(), config(pool_dir.path()), move |s| relay(&of, s))
        .await
        .unwrap();
    let refused = Frame::Refused(RefusedReason::NotEnrolled);
    assert_eq!(ask_directory(&directory, Frame::GetDocument(None)).await, refused);
    let client = |key: &mix::directory::EnrolmentKey| {
        Frame::GetDocumentAs(None, Credential::Client(key.public().id()))
    };
    assert_eq!(ask_directory(&directory, client(&stranger)).await, refused);
    let token = Frame::GetDocumentAs(None, Credential::Node(directory.token));
    let nobody = ask_directory(&directory, token).await;
    assert_eq!(nobody, Frame::Refused(RefusedReason::NotAdmitted), "a token alone is no node");
    let mut documents = Vec::new();
    for (key, wrong) in [(&mine, &other), (&other, &mine)] {
        let Frame::SealedDocument(sealed) = ask_directory(&directory, client(key)).await else {
            panic!("not sealed")
        };
        assert!(wrong.open(&sealed).is_err());
        documents.push(key.open(&sealed).unwrap());
    }
    let verified =
        documents.iter().map(|d| mix::directory::verify(d, &directory.pointer.network).unwrap());
    let hashes: Vec<_> = verified.map(|d| d.hash()).collect();
    assert_eq!(hashes[0], hashes[1], "the same signed document for all");
    for (id, address) in pool.nodes() {
        assert_eq!(
            ask(address, id, Frame::GetDocument(None)).await,
            refused,
            "relays do not hand it out"
        );
    }
    pool.stop().await;
    directory.stop().await;
}
