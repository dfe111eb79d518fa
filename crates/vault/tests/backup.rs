//! Backups: what they hold, what they refuse, and what they leave alone.

use std::path::Path;

use messenger::id::{ConversationId, MemberId, MessageId};
use messenger::store::{Author, Kind, NewMessage, Reaction, Space, State};
use vault::{Error, Vault, VaultKey};
use wire::Timestamp;

const CONVERSATION: ConversationId = ConversationId::new([7; 16]);

fn message(n: u8, author: Author, state: State) -> NewMessage {
    NewMessage {
        conversation: CONVERSATION,
        id: MessageId::new([n; 16]),
        author,
        author_name: "name".to_owned(),
        sent_at: Timestamp::from_millis(1),
        received_at: Timestamp::from_millis(2),
        kind: Kind::Text,
        text: format!("text {n}"),
        reply_to: None,
        state,
        expires_at: None,
        route: "lan".to_owned(),
    }
}

fn filled(dir: &Path) -> Vault {
    let vault = Vault::create(dir, &VaultKey::random().unwrap()).unwrap();
    vault
        .transaction(|s| {
            for space in Space::ALL {
                s.put(space, b"key", &[space as u8])?;
            }
            s.add_message(&message(1, Author::Member(MemberId::new([1; 16])), State::Received))?;
            s.add_message(&message(2, Author::Me, State::Queued))?;
            s.add_message(&message(3, Author::Me, State::Read))?;
            s.delete_message(&CONVERSATION, &MessageId::new([2; 16]), Author::Me)?;
            for emoji in ["a", "b"] {
                let reaction = Reaction {
                    author: Author::Me,
                    author_name: "me".to_owned(),
                    emoji: emoji.to_owned(),
                };
                s.react(&CONVERSATION, &MessageId::new([3; 16]), &reaction, true)?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    vault
}

//= VAULT-009
#[test]
fn a_backup_comes_back_with_what_belongs_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let vault = filled(dir.path());
    let file = dir.path().join("backup");
    vault.backup(&file, "pass").unwrap();
    vault.backup(&file, "pass").unwrap();
    let other = tempfile::tempdir().unwrap();
    for into in [
        Vault::in_memory().unwrap(),
        Vault::create(other.path(), &VaultKey::random().unwrap()).unwrap(),
    ] {
        into.restore(&file, "pass").unwrap();
        let all = |v: &Vault| v.read(|s| Ok::<_, Error>(s.history_after(None, 0, 99)?)).unwrap();
        assert!(all(&into) == all(&vault));
        assert_eq!(all(&into).len(), 3);
        into.read(|s| {
            for space in Space::ALL {
                assert_eq!(
                    s.get(space, b"key")?,
                    space.in_backup().then(|| vec![space as u8].into())
                );
            }
            assert_eq!(
                s.search(None, "text", 9)?.len(),
                2,
                "the index is rebuilt without the deleted one"
            );
            Ok::<_, Error>(())
        })
        .unwrap();
        // And it can be written on.
        let new = message(4, Author::Me, State::Queued);
        assert!(into.transaction(|s| Ok::<_, Error>(s.add_message(&new)?)).unwrap());
        assert!(matches!(into.restore(&file, "pass"), Err(Error::NotEmpty)));
    }
    let left: Vec<_> =
        std::fs::read_dir(other.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|n| n.to_string_lossy().starts_with("vault.db")), "{left:?}");
}

//= VAULT-010
#[test]
fn what_is_no_whole_backup_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    filled(dir.path()).backup(&file, "pass").unwrap();
    let good = std::fs::read(&file).unwrap();
    let into = Vault::in_memory().unwrap();
    let restore = |bytes: &[u8], passphrase: &str| {
        std::fs::write(&file, bytes).unwrap();
        into.restore(&file, passphrase).unwrap_err()
    };
    assert!(matches!(restore(&good, "wrong"), Error::WrongPassphrase));
    assert!(matches!(restore(&good, ""), Error::EmptyPassphrase));
    assert!(matches!(restore(b"", "pass"), Error::NotABackup));
    assert!(matches!(restore(&[0; 9000], "pass"), Error::NotABackup));
    assert!(matches!(restore(b"hushwing-backup", "pass"), Error::NotABackup));
    for cut in [18, 60, 113, 114, 115, good.len() - 1, good.len() / 2] {
        assert!(matches!(restore(&good[..cut], "pass"), Error::Truncated), "{cut}");
    }
    assert!(matches!(restore(&[&good[..], b"x"].concat(), "pass"), Error::Damaged(_)));
    let mut newer = good.clone();
    newer[16] = b'2';
    assert!(matches!(restore(&newer, "pass"), Error::Newer { found: 2, known: 1, .. }));
    let mut greedy = good.clone();
    greedy[18..22].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(restore(&greedy, "pass"), Error::Damaged(_)));
    for at in [114, 200, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(matches!(restore(&bad, "pass"), Error::Damaged(_)), "{at}");
    }
    let mut bad = good.clone();
    bad[30] ^= 1;
    assert!(matches!(restore(&bad, "pass"), Error::WrongPassphrase), "a changed salt");
    assert!(matches!(into.restore(&dir.path().join("none"), "pass"), Err(Error::Missing(_))));
    into.read(|s| {
        assert!(s.history_after(None, 0, 9)?.is_empty());
        assert!(s.scan(Space::Card, b"")?.is_empty());
        Ok::<_, Error>(())
    })
    .unwrap();
    std::fs::write(&file, &good).unwrap();
    into.restore(&file, "pass").unwrap();
}

//= VAULT-011
#[test]
fn no_other_file_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::in_memory().unwrap();
    let file = dir.path().join("thesis");
    std::fs::write(&file, "years of work").unwrap();
    assert!(matches!(vault.backup(&file, "pass"), Err(Error::Exists(_))));
    assert!(matches!(vault.backup(&dir.path().join("new"), ""), Err(Error::EmptyPassphrase)));
    assert!(vault.backup(&dir.path().join("no/such/dir"), "pass").is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "years of work");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

//= GONE-006
#[test]
fn what_disappears_is_in_no_backup() {
    let dir = tempfile::tempdir().unwrap();
    let vault = filled(dir.path());
    vault
        .transaction(|s| {
            let mut soon = message(9, Author::Me, State::Stored);
            soon.expires_at = Some(Timestamp::MAX);
            s.add_message(&soon)?;
            let reaction = Reaction {
                author: Author::Me,
                author_name: "me".to_owned(),
                emoji: "a".to_owned(),
            };
            s.react(&CONVERSATION, &soon.id, &reaction, true)?;
            Ok::<_, Error>(())
        })
        .unwrap();
    let file = dir.path().join("backup");
    vault.backup(&file, "pass").unwrap();
    let into = Vault::in_memory().unwrap();
    into.restore(&file, "pass").unwrap();
    let count =
        |v: &Vault| v.read(|s| Ok::<_, Error>(s.history_after(None, 0, 99)?.len())).unwrap();
    assert_eq!((count(&vault), count(&into)), (4, 3));
}
