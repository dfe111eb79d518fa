//! Files of a role's directory that are damaged, cut or gone: it starts as the same node, or says
//! which file it is, and is never somebody else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use server::config::DirectoryConfig;
use server::{Directory, Error, Node, NodeConfig, relay};
use wire::NetworkPointer;
use wire::document::Role;
use wire::id::AdmissionToken;

type Files = BTreeMap<String, Vec<u8>>;

fn directory_config() -> DirectoryConfig {
    DirectoryConfig { listen: ([127, 0, 0, 1], 0).into(), epoch_seconds: 60, ..Default::default() }
}

async fn relay(dir: &Path, pointer: &NetworkPointer, token: AdmissionToken) -> Result<Node, Error> {
    relay::start(NodeConfig::local(Role::Relay, dir.to_owned(), pointer.clone(), token)).await
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

/// Has a role start after each accident: it is `who` it was, or says which file it is and what to
/// do.
async fn survives<T: PartialEq + std::fmt::Debug>(
    files: &Files,
    who: T,
    start: impl AsyncFn(&Path) -> Result<T, Error>,
) {
    let (mut same, mut refused) = (0, 0);
    for (file, what, damaged) in accidents(files) {
        let dir = place(&damaged);
        match start(dir.path()).await {
            Ok(started) => {
                assert_eq!(started, who, "{file} {what}");
                same += 1;
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&file), "{file} {what}: {text}");
                if let Error::StateDir(error) = error {
                    assert!(!error.hint().is_empty());
                }
                refused += 1;
            }
        }
    }
    assert!(same > 0 && refused > 0, "{same} the same, {refused} refused");
}

#[tokio::test]
async fn a_damaged_directory_is_the_same_network_or_says_what_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::start(dir.path(), &directory_config()).await.unwrap();
    // Once it has signed, it has a past.
    directory.lists(0, 0).await;
    directory.stop().await;
    survives(&read_all(dir.path()), directory.pointer.network, async |dir| {
        let directory = Directory::start(dir, &directory_config()).await?;
        directory.stop().await;
        Ok(directory.pointer.network)
    })
    .await;
}

#[tokio::test]
async fn a_damaged_relay_is_the_same_relay_or_says_what_is_damaged() {
    let (dir, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let directory = Directory::start(dir.path(), &directory_config()).await.unwrap();
    let (pointer, token) = (directory.pointer.clone(), directory.token);
    let node = relay(home.path(), &pointer, token).await.unwrap();
    // Once it is listed, it has keys.
    directory.lists(1, 0).await;
    node.stop().await;
    directory.stop().await;
    survives(&read_all(home.path()), node.id, async |home| {
        let node = relay(home, &pointer, token).await?;
        node.stop().await;
        Ok(node.id)
    })
    .await;
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
