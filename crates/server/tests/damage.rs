//! Files of a role's directory that are damaged, cut or gone: it starts as the same node, or says
//! which file it is, and is never somebody else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use server::config::DirectoryConfig;
use server::{Directory, Error, Node, NodeConfig, relay};
use wire::NetworkPointer;
use wire::document::{Processing, Role};
use wire::id::AdmissionToken;

type Files = BTreeMap<String, Vec<u8>>;

fn directory_config() -> DirectoryConfig {
    DirectoryConfig { listen: ([127, 0, 0, 1], 0).into(), epoch_seconds: 60, ..Default::default() }
}

async fn relay(dir: &Path, pointer: &NetworkPointer, token: AdmissionToken) -> Result<Node, Error> {
    relay::start(NodeConfig {
        role: Role::Relay,
        listen: Some(([127, 0, 0, 1], 0).into()),
        onion: None,
        dialer: net::Dialer::Direct,
        map_port: None,
        announce: Vec::new(),
        region: None,
        owner: None,
        rate: 1_000,
        max_connections: 64,
        processing: Processing::default(),
        pointer: pointer.clone(),
        token,
        dir: dir.to_owned(),
    })
    .await
}

fn read_all(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.map(|e| (name(&e.path()), fs::read(e.path()).unwrap())).collect()
}

/// A directory of its own with these files.
fn place(files: &Files) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(dir.path().join(name), bytes).unwrap());
    dir
}

/// What can happen to these files, one at a time: the file, what happened, and all files then.
fn accidents(files: &Files) -> Vec<(String, String, Files)> {
    let mut all = Vec::new();
    for (name, bytes) in files.iter().filter(|(name, _)| *name != "lock") {
        let mut add = |what: String, bytes: Option<Vec<u8>>| {
            let mut files = files.clone();
            files.remove(name);
            files.extend(bytes.map(|bytes| (name.clone(), bytes)));
            all.push((name.clone(), what, files));
        };
        add("is gone".to_owned(), None);
        add("is empty".to_owned(), Some(Vec::new()));
        add("is cut".to_owned(), Some(bytes[..bytes.len() / 2].to_vec()));
        add("is longer".to_owned(), Some([bytes.as_slice(), &[0; 7]].concat()));
        let step = (bytes.len() / 16).max(1);
        for at in (0..bytes.len()).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            add(format!("has another byte {at}"), Some(flipped));
        }
    }
    all
}

/// That what went wrong names the file and what to do.
fn tells(error: &Error, file: &str, what: &str) {
    let text = error.to_string();
    assert!(text.contains(file), "{file} {what}: {text}");
    if let Error::StateDir(error) = error {
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn a_damaged_directory_is_the_same_network_or_says_what_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::start(dir.path(), &directory_config()).await.unwrap();
    let network = directory.pointer.network;
    // Once it has signed, it has a past.
    let published = dir.path().join("published");
    while !published.exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    directory.stop().await;
    let files = read_all(dir.path());
    let (mut same, mut refused) = (0, 0);
    for (file, what, damaged) in accidents(&files) {
        let dir = place(&damaged);
        match Directory::start(dir.path(), &directory_config()).await {
            Ok(directory) => {
                assert_eq!(directory.pointer.network, network, "{file} {what}");
                directory.stop().await;
                same += 1;
            }
            Err(error) => {
                tells(&error, &file, &what);
                refused += 1;
            }
        }
    }
    assert!(same > 0 && refused > 0, "{same} the same, {refused} refused");
}

#[tokio::test]
async fn a_damaged_relay_is_the_same_relay_or_says_what_is_damaged() {
    let (dir, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let directory = Directory::start(dir.path(), &directory_config()).await.unwrap();
    let (pointer, token) = (directory.pointer.clone(), directory.token);
    let node = relay(home.path(), &pointer, token).await.unwrap();
    let id = node.id;
    while !home.path().join("epoch-keys").exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    node.stop().await;
    directory.stop().await;
    let files = read_all(home.path());
    let (mut same, mut refused) = (0, 0);
    for (file, what, damaged) in accidents(&files) {
        let home = place(&damaged);
        match relay(home.path(), &pointer, token).await {
            Ok(node) => {
                assert_eq!(node.id, id, "{file} {what}");
                node.stop().await;
                same += 1;
            }
            Err(error) => {
                tells(&error, &file, &what);
                refused += 1;
            }
        }
    }
    assert!(same > 0 && refused > 0, "{same} the same, {refused} refused");
}

#[tokio::test]
async fn a_directory_is_used_by_one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::start(dir.path(), &directory_config()).await.unwrap();
    let second = Directory::start(dir.path(), &directory_config()).await;
    assert!(matches!(second, Err(Error::StateDir(jail::Error::InUse(_)))), "{second:?}");
    directory.stop().await;
    let again = Directory::start(dir.path(), &directory_config()).await.unwrap();
    again.stop().await;
}
