//! A profile on disk: locks, keys, crashes, damage, and what a finder of the disk reads.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use messenger::id::{ConversationId, MemberId, MessageId};
use messenger::store::{Author, Kind, NewMessage, Reaction, Space, State};
use vault::{Config, Error, Profile, ProfileName, Unlock, UnlockKind, Vault, VaultKey};
use wire::Timestamp;

const CONVERSATION: ConversationId = ConversationId::new([7; 16]);

fn name() -> ProfileName {
    ProfileName::parse("test").unwrap()
}

fn message(n: u32, text: &str) -> NewMessage {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.to_be_bytes());
    NewMessage {
        conversation: CONVERSATION,
        id: MessageId::new(id),
        author: Author::Member(MemberId::new([5; 16])),
        author_name: "PLANTEDNICK".to_owned(),
        sent_at: Timestamp::from_millis(1),
        received_at: Timestamp::from_millis(2),
        kind: Kind::Text,
        text: text.to_owned(),
        reply_to: None,
        state: State::Received,
        expires_at: None,
        route: "PLANTEDROUTE".to_owned(),
    }
}

fn add(vault: &Vault, n: u32, text: &str) {
    assert!(vault.transaction(|s| Ok::<_, Error>(s.add_message(&message(n, text))?)).unwrap());
}

fn texts(vault: &Vault) -> Vec<String> {
    let all = vault.read(|s| Ok::<_, Error>(s.history_after(None, 0, usize::MAX)?)).unwrap();
    all.into_iter().map(|m| m.message.text).collect()
}

/// This test program again, running only the test `what`, which finds `base` in its environment.
fn child(what: &str, base: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", what, "--nocapture", "--test-threads=1"])
        .env("VAULT_TEST_BASE", base)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// In the child: says something to the parent, past the harness.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n>{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let out = BufReader::new(child.stdout.take().unwrap());
    out.lines().map_while(Result::ok).filter_map(|l| l.strip_prefix('>').map(str::to_owned))
}

#[test]
fn in_a_child_writes_until_killed() {
    let Some(base) = std::env::var_os("VAULT_TEST_BASE") else { return };
    let profile = Profile::open(Path::new(&base), &name()).unwrap();
    let vault = profile.open_vault(&Unlock::KeyFile).unwrap();
    let first = texts(&vault).len() as u32;
    for n in first.. {
        vault
            .transaction(|s| {
                s.put(Space::Setting, b"count", &(n + 1).to_be_bytes())?;
                s.add_message(&message(n, &format!("message {n}")))?;
                Ok::<_, Error>(())
            })
            .unwrap();
        say(&n.to_string());
    }
}

//= VAULT-006
#[test]
fn a_kill_loses_nothing_committed_and_leaves_nothing_half() {
    let base = tempfile::tempdir().unwrap();
    let profile = Profile::create(base.path(), &name()).unwrap();
    drop(profile.create_vault(&Unlock::KeyFile).unwrap());
    drop(profile);
    let mut least = 0;
    for round in 1..=6 {
        let mut writer = child("in_a_child_writes_until_killed", base.path());
        let mut said = lines(&mut writer);
        for line in said.by_ref().take(20 + 13 * round) {
            least = line.parse::<usize>().unwrap() + 1;
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        for line in said {
            least = line.parse::<usize>().map_or(least, |n| n + 1);
        }
        let profile = Profile::open(base.path(), &name()).unwrap();
        let vault = profile.open_vault(&Unlock::KeyFile).unwrap();
        vault.check().unwrap();
        let texts = texts(&vault);
        assert!(texts.len() >= least, "{} of {least}", texts.len());
        assert!(texts.len() <= least + 1, "one at most was committed and not told");
        assert!(texts.iter().enumerate().all(|(n, t)| *t == format!("message {n}")));
        let count =
            vault.read(|s| Ok::<_, Error>(s.get(Space::Setting, b"count")?)).unwrap().unwrap();
        assert_eq!(*count, (texts.len() as u32).to_be_bytes(), "both or none");
        let found =
            vault.read(|s| Ok::<_, Error>(s.search(None, "message", usize::MAX)?.len())).unwrap();
        assert_eq!(found, texts.len(), "the index is in step");
    }
}

#[test]
fn in_a_child_holds_the_profile() {
    let Some(base) = std::env::var_os("VAULT_TEST_BASE") else { return };
    let _profile = Profile::open(Path::new(&base), &name()).unwrap();
    say("held");
    let _ = std::io::stdin().read(&mut [0]);
}

//= VAULT-005
#[test]
fn one_process_at_a_time() {
    let base = tempfile::tempdir().unwrap();
    drop(Profile::create(base.path(), &name()).unwrap());
    let mut holder = child("in_a_child_holds_the_profile", base.path());
    assert_eq!(lines(&mut holder).next().as_deref(), Some("held"));
    let refused = Profile::open(base.path(), &name()).unwrap_err();
    assert!(matches!(refused, Error::InUse));
    assert!(matches!(Profile::create(base.path(), &name()), Err(Error::InUse)));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let profile = Profile::open(base.path(), &name()).unwrap();
    assert!(
        matches!(Profile::open(base.path(), &name()), Err(Error::InUse)),
        "within a process, too"
    );
    drop(profile);
    Profile::open(base.path(), &name()).unwrap();
}

//= VAULT-007
#[test]
fn a_profile_is_made_listed_and_wiped() {
    let base = tempfile::tempdir().unwrap();
    let under = base.path().join("a/b");
    assert!(Profile::list(&under).unwrap().is_empty());
    assert!(matches!(Profile::open(&under, &name()), Err(Error::Missing(_))));
    let profile = Profile::create(&under, &name()).unwrap();
    assert!(profile.config().unwrap() == Config::default());
    assert_eq!(profile.vault_kind().unwrap(), None);
    assert!(matches!(profile.open_vault(&Unlock::KeyFile), Err(Error::Missing(_))));
    drop(profile.create_vault(&Unlock::KeyFile).unwrap());
    assert!(matches!(profile.create_vault(&Unlock::KeyFile), Err(Error::Exists(_))));
    assert_eq!(profile.vault_kind().unwrap(), Some(UnlockKind::KeyFile));
    assert_eq!(std::fs::metadata(profile.dir()).unwrap().permissions().mode() & 0o777, 0o700);
    for file in std::fs::read_dir(profile.dir()).unwrap() {
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            file.file_name()
        );
    }
    std::fs::create_dir(under.join("Not A Profile")).unwrap();
    std::fs::create_dir(under.join("empty")).unwrap();
    assert_eq!(Profile::list(&under).unwrap(), [name()]);
    std::fs::write(profile.dir().join(".tmp-left"), b"x").unwrap();
    drop(profile);
    assert!(matches!(Profile::create(&under, &name()), Err(Error::Exists(_))));
    let profile = Profile::open(&under, &name()).unwrap();
    assert!(!profile.dir().join(".tmp-left").exists(), "swept");
    profile.wipe().unwrap();
    assert!(!Profile::exists(&under, &name()));
    assert!(!under.join("test").exists());
}

#[test]
fn a_creation_cut_off_is_begun_again_or_finished() {
    let base = tempfile::tempdir().unwrap();
    let profile = Profile::create(base.path(), &name()).unwrap();
    std::fs::write(profile.dir().join("vault.db.new"), b"half a file").unwrap();
    drop(profile.create_vault(&Unlock::KeyFile).unwrap());
    // Killed after the header was written, before the vault got its name.
    std::fs::rename(profile.dir().join("vault.db"), profile.dir().join("vault.db.new")).unwrap();
    add(&profile.open_vault(&Unlock::KeyFile).unwrap(), 1, "works");
    assert!(profile.dir().join("vault.db").exists());
}

//= VAULT-001
#[test]
fn the_passphrase_can_change_and_nothing_else_opens_it() {
    let base = tempfile::tempdir().unwrap();
    let profile = Profile::create(base.path(), &name()).unwrap();
    let (old, new) = (Unlock::passphrase("correct horse"), Unlock::passphrase("battery staple"));
    assert!(matches!(profile.create_vault(&Unlock::passphrase("")), Err(Error::EmptyPassphrase)));
    let vault = profile.create_vault(&old).unwrap();
    add(&vault, 1, "kept");
    drop(vault);
    let vault_file = profile.dir().join("vault.db");
    let before = std::fs::read(&vault_file).unwrap();
    assert!(matches!(profile.open_vault(&new), Err(Error::WrongPassphrase)));
    assert!(matches!(profile.open_vault(&Unlock::KeyFile), Err(Error::LockedBy(_))));
    assert!(matches!(profile.change_unlock(&new, &new), Err(Error::WrongPassphrase)));
    assert!(std::fs::read(&vault_file).unwrap() == before, "untouched");

    profile.change_unlock(&old, &new).unwrap();
    assert!(matches!(profile.open_vault(&old), Err(Error::WrongPassphrase)));
    assert_eq!(texts(&profile.open_vault(&new).unwrap()), ["kept"]);

    profile.change_unlock(&new, &Unlock::KeyFile).unwrap();
    assert_eq!(profile.vault_kind().unwrap(), Some(UnlockKind::KeyFile));
    assert!(matches!(profile.open_vault(&new), Err(Error::LockedBy(_))));
    assert_eq!(texts(&profile.open_vault(&Unlock::KeyFile).unwrap()), ["kept"]);
    let key_file = profile.dir().join("vault.key");
    let key = std::fs::read(&key_file).unwrap();
    assert_eq!(key.len(), 32);
    std::fs::write(&key_file, [0; 32]).unwrap();
    assert!(matches!(profile.open_vault(&Unlock::KeyFile), Err(Error::WrongKeyFile)));
    std::fs::write(&key_file, [0; 31]).unwrap();
    assert!(matches!(profile.open_vault(&Unlock::KeyFile), Err(Error::Damaged(_))));
    std::fs::write(&key_file, key).unwrap();

    profile.change_unlock(&Unlock::KeyFile, &old).unwrap();
    assert!(!key_file.exists());
    assert_eq!(texts(&profile.open_vault(&old).unwrap()), ["kept"]);
}

/// Every file below `dir` that holds `word`, in UTF-8 of any case or UTF-16.
fn files_with(dir: &Path, word: &str) -> Vec<String> {
    let needles: Vec<Vec<u8>> = [word.to_owned(), word.to_lowercase()]
        .iter()
        .flat_map(|w| {
            let wide = |f: fn(u16) -> [u8; 2]| w.encode_utf16().flat_map(f).collect::<Vec<u8>>();
            [w.clone().into_bytes(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)]
        })
        .collect();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if needles.iter().any(|n| bytes.windows(n.len()).any(|w| w == n)) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

//= VAULT-002
#[test]
fn the_disk_holds_no_plaintext() {
    let base = tempfile::tempdir().unwrap();
    let profile = Profile::create(base.path(), &name()).unwrap();
    let passphrase = "PLANTEDPASSPHRASE";
    let vault = profile.create_vault(&Unlock::passphrase(passphrase)).unwrap();
    vault
        .transaction(|s| Ok::<_, Error>(s.put(Space::Card, b"PLANTEDKEY", b"PLANTEDVALUE")?))
        .unwrap();
    for n in 0..300 {
        add(&vault, n, &format!("PLANTEDTEXT number {n}, {}", "filler ".repeat(30)));
    }
    let heart = Reaction {
        author: Author::Me,
        author_name: "PLANTEDME".to_owned(),
        emoji: "PLANTEDEMOJI".to_owned(),
    };
    vault
        .transaction(|s| {
            Ok::<_, Error>(s.react(&CONVERSATION, &message(3, "").id, &heart, true)?)
        })
        .unwrap();
    assert_eq!(vault.read(|s| Ok::<_, Error>(s.search(None, "plantedtext", 9)?.len())).unwrap(), 9);
    let backup = profile.dir().join("backup");
    vault.backup(&backup, passphrase).unwrap();
    let nothing_planted = || {
        for word in ["PLANTED", "filler", "message_text", "SQLite format", "conversation"] {
            assert!(
                files_with(profile.dir(), word).is_empty(),
                "{word} in {:?}",
                files_with(profile.dir(), word)
            );
        }
    };
    assert!(
        profile.dir().join("vault.db-wal").exists() && profile.dir().join("vault.db-shm").exists()
    );
    assert!(std::fs::metadata(profile.dir().join("vault.db-wal")).unwrap().len() > 0);
    // The comments of the settings speak of conversations.
    std::fs::remove_file(profile.config_path()).unwrap();
    nothing_planted();
    drop(vault);
    assert!(!profile.dir().join("vault.db-wal").exists());
    nothing_planted();
    std::fs::write(profile.dir().join("probe"), "xplantedx").unwrap();
    assert_eq!(files_with(profile.dir(), "PLANTED"), ["probe"], "the search itself works");
}

/// Bytes that this thread has given to the system to write so far: to files, pipes, anything.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = io.lines().find_map(|l| l.strip_prefix("wchar: ")).unwrap();
    line.parse().unwrap()
}

/// More than fits into the database's cache, sorts and searches that want room to work, a
/// transaction that is rolled back, and much that is deleted.
//= VAULT-003
#[test]
fn a_session_vault_writes_nothing() {
    let before = written();
    let vault = Vault::in_memory().unwrap();
    let filler = "PLANTED filler ".repeat(500);
    vault
        .transaction(|s| {
            for n in 0..2_000 {
                s.add_message(&message(n, &format!("{n} {filler}")))?;
            }
            s.put(Space::Card, b"card", filler.as_bytes())?;
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(texts(&vault).len(), 2_000);
    let found = vault.read(|s| Ok::<_, Error>(s.search(None, "planted", usize::MAX)?.len()));
    assert_eq!(found.unwrap(), 2_000);
    let undone = vault.transaction(|s| {
        s.forget_before(Timestamp::from_millis(u64::MAX))?;
        Err::<(), _>(Error::Missing("reason to keep it"))
    });
    assert!(undone.is_err());
    assert_eq!(texts(&vault).len(), 2_000);
    let forgotten =
        vault.transaction(|s| Ok::<_, Error>(s.forget_before(Timestamp::from_millis(3))?.len()));
    assert_eq!(forgotten.unwrap(), 2_000);
    vault.tidy();
    vault.check().unwrap();
    drop(vault);
    assert_eq!(written() - before, 0);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("probe"), "1234567").unwrap();
    assert_eq!(written() - before, 7, "the measure itself works");
}

//= VAULT-004
#[test]
fn a_flipped_byte_anywhere_is_told_and_never_read() {
    let dir = tempfile::tempdir().unwrap();
    let key = VaultKey::random().unwrap();
    let vault = Vault::create(dir.path(), &key).unwrap();
    for n in 0..40 {
        add(&vault, n, &format!("message {n} {}", "x".repeat(200)));
    }
    let expected = texts(&vault);
    drop(vault);
    let file = dir.path().join("vault.db");
    let good = std::fs::read(&file).unwrap();
    // One byte in each part of each page: its start (salt, header or content), middle, IV and seal.
    let mut told = [0; 3];
    for page in 0..good.len() / 4096 {
        for at in [0, 17, 100, 2000, 4015, 4016, 4031, 4032, 4095] {
            let mut bad = good.clone();
            bad[page * 4096 + at] ^= 0x40;
            std::fs::write(&file, &bad).unwrap();
            match Vault::open(dir.path(), &key) {
                Err(Error::Damaged(_)) => told[0] += 1,
                Err(other) => panic!("page {page}, byte {at}: {other}"),
                Ok(vault) => {
                    assert!(
                        matches!(vault.check(), Err(Error::Damaged(_))),
                        "page {page}, byte {at}"
                    );
                    match vault.read(|s| Ok::<_, Error>(s.history_after(None, 0, usize::MAX)?)) {
                        Err(_) => told[1] += 1,
                        Ok(all) => {
                            told[2] += 1;
                            assert!(
                                all.into_iter()
                                    .map(|m| m.message.text)
                                    .eq(expected.iter().cloned())
                            );
                        }
                    }
                }
            }
            assert!(
                std::fs::read(&file).unwrap() == bad,
                "page {page}, byte {at}: the file was touched"
            );
        }
    }
    assert!(told[0] >= 9 && told[1] > 0, "{told:?}");
    for cut in [0, 1, 16, 4095, good.len() - 4096] {
        std::fs::write(&file, &good[..cut]).unwrap();
        let outcome = Vault::open(dir.path(), &key).and_then(|v| v.check());
        assert!(
            matches!(outcome, Err(Error::Damaged(_) | Error::Database(_))),
            "cut at {cut}: {outcome:?}"
        );
    }
    std::fs::write(&file, &good).unwrap();
    assert!(
        matches!(Vault::open(dir.path(), &VaultKey::random().unwrap()), Err(Error::Damaged(_))),
        "another key"
    );
    assert!(std::fs::read(&file).unwrap() == good);
    assert_eq!(texts(&Vault::open(dir.path(), &key).unwrap()), expected);
}

//= VAULT-008
#[test]
fn nothing_secret_shows() {
    let dir = tempfile::tempdir().unwrap();
    let key = VaultKey::random().unwrap();
    let vault = Vault::create(dir.path(), &key).unwrap();
    assert_eq!(format!("{key:?}"), "VaultKey");
    assert_eq!(format!("{vault:?}"), "Vault");
    assert_eq!(format!("{:?}", Unlock::passphrase("secret")), "Unlock");
    assert_eq!(format!("{:?}", Config::default()), "Config");
    let profile = Profile::create(dir.path(), &name()).unwrap();
    assert_eq!(format!("{profile:?} {:?}", profile.name()), "Profile ProfileName");
}

#[test]
#[ignore = "prints figures"]
fn figures() {
    use std::time::Instant;
    let base =
        tempfile::tempdir_in(std::env::var_os("VAULT_BENCH_DIR").unwrap_or(".".into())).unwrap();
    let profile = Profile::create(base.path(), &name()).unwrap();
    let vault = profile.create_vault(&Unlock::KeyFile).unwrap();
    let begin = Instant::now();
    for n in 0..5000 {
        add(&vault, n, "a message of some words, as people write them to each other");
    }
    println!("{:.0} messages/s, one per transaction", 5000.0 / begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    vault
        .transaction(|s| {
            for n in 5000..25_000 {
                s.add_message(&message(
                    n,
                    "a message of some words, as people write them to each other",
                ))?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    println!("{:.0} messages/s in one transaction", 20_000.0 / begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    for _ in 0..100 {
        vault.read(|s| Ok::<_, Error>(s.search(None, "peop writ", 50)?)).unwrap();
    }
    println!("search of 25,000 (all hit, newest 50): {:?}", begin.elapsed() / 100);
    let begin = Instant::now();
    for _ in 0..100 {
        vault.read(|s| Ok::<_, Error>(s.history(&CONVERSATION, None, 50)?)).unwrap();
    }
    println!("history of 50: {:?}", begin.elapsed() / 100);
    let begin = Instant::now();
    vault.check().unwrap();
    let size = std::fs::metadata(profile.dir().join("vault.db")).unwrap().len();
    println!("check of {} KiB: {:?}", size / 1024, begin.elapsed());
    let begin = Instant::now();
    vault.backup(&base.path().join("backup"), "passphrase").unwrap();
    println!("backup: {:?}", begin.elapsed());
    drop(vault);
    let begin = Instant::now();
    for _ in 0..100 {
        drop(profile.open_vault(&Unlock::KeyFile).unwrap());
    }
    println!("open and close by key file: {:?}", begin.elapsed() / 100);
    profile.change_unlock(&Unlock::KeyFile, &Unlock::passphrase("passphrase")).unwrap();
    let begin = Instant::now();
    drop(profile.open_vault(&Unlock::passphrase("passphrase")).unwrap());
    println!("open and close by passphrase: {:?}", begin.elapsed());
}
