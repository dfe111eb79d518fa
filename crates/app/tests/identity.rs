//! Contacts bound to OpenPGP keys, with the real gpg at the other end where it is installed.

mod common;
mod person;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Finished, World};
use person::Person;

/// Alice, bob and carol on one network; alice knows both others.
fn three() -> (World, tempfile::TempDir, [Person; 3]) {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let (bob, carol) =
        (Person::new(home.path(), "bob", None), Person::new(home.path(), "carol", None));
    alice.befriend(&bob);
    alice.befriend(&carol);
    (world, home, [alice, bob, carol])
}

/// A new OpenPGP key: fingerprint, file of the secret key, file of the public key.
fn key(of: &Person, user_id: &str) -> (String, String, String) {
    let dir = of.home.join(format!("{}-pgp", of.name));
    let args = [
        "identity",
        "pgp-key",
        "--out",
        &dir.display().to_string(),
        "--user-id",
        user_id,
        "--no-passphrase",
    ];
    let fingerprint = of.ok(&args).trim().to_owned();
    let file = |kind| dir.join(format!("{fingerprint}.{kind}.asc"));
    let mode = |file: &Path| file.metadata().expect("the key").permissions().mode() & 0o777;
    assert_eq!(mode(&file("secret")), 0o600);
    let name = |kind| file(kind).display().to_string();
    (fingerprint.clone(), name("secret"), name("public"))
}

/// What `at` says to a signed statement of `contact`.
fn verify(at: &Person, contact: &str, signed: &str, cert: &str) -> Finished {
    at.run_with_input(&["identity", "pgp-verify", contact, "-", "--cert", cert], signed)
}

fn refuses(at: &Person, contact: &str, signed: &str, cert: &str, code: i32, says: &str) {
    let done = verify(at, contact, signed, cert);
    assert_eq!(done.code, code, "{done:?}");
    assert!(
        done.stderr.contains(says) && done.stderr.contains("hint: "),
        "{says:?} is missing: {done:?}"
    );
    assert_eq!(at.ok(&["identity", "list"]), "", "nothing was bound");
}

//= DIRECT-018
//= DIRECT-019
#[test]
fn a_contact_is_bound_to_the_key_that_signed_their_statement() {
    let (_world, home, [alice, bob, carol]) = three();
    let (fingerprint, secret, cert) = key(&bob, "Bob <bob@example.org>");
    let (_, eves_secret, eves_cert) = key(&carol, "Bob <bob@example.org>");
    let file = home.path().join("signed.asc").display().to_string();
    bob.ok(&["identity", "pgp-sign", "alice", "--key", &secret, "--out", &file]);
    let signed = std::fs::read_to_string(&file).expect("the signed statement");
    assert!(signed.contains(bob.ok(&["identity", "statement", "alice"]).trim_end()), "{signed}");
    bob.fails(
        &["identity", "pgp-sign", "alice", "--key", &secret, "--out", &file],
        3,
        "already exists",
    );
    bob.fails(&["identity", "pgp-sign", "alice", "--key", &cert], 3, "not a secret OpenPGP key");

    // Altered; by another key; for another contact; alice's own, given back; and things that are no
    // signature.
    let altered = signed.replacen("signer: ", "signer: 0", 1);
    refuses(&alice, "bob", &altered, &cert, 6, "altered");
    refuses(&alice, "bob", &signed, &eves_cert, 6, "by another key");
    let forged = bob.ok(&["identity", "pgp-sign", "alice", "--key", &eves_secret]);
    refuses(&alice, "bob", &forged, &cert, 6, "by another key");
    refuses(&alice, "carol", &signed, &cert, 6, "not this contact's");
    let own = alice.ok(&["identity", "pgp-sign", "bob", "--key", &secret]);
    refuses(&alice, "bob", &own, &cert, 6, "your own statement");
    refuses(&alice, "bob", "hello", &cert, 3, "not a clear-signed text");
    refuses(&alice, "bob", &signed, &secret, 3, "this is a secret key");
    refuses(&alice, "bob", &signed, &file, 3, "not an OpenPGP key");
    alice.fails(
        &["identity", "pgp-verify", "bob", "/nowhere", "--cert", &cert],
        3,
        "cannot read /nowhere",
    );
    alice.fails(
        &["identity", "pgp-verify", "dave", &file, "--cert", &cert],
        3,
        "nothing here is called “dave”",
    );

    assert_eq!(
        alice.ok(&["identity", "pgp-verify", "bob", &file, "--cert", &cert]),
        format!("{fingerprint}\n")
    );
    let mark = format!("pgp:{fingerprint}");
    assert!(
        alice.ok(&["contact", "list"]).lines().any(|l| l.starts_with("bob  ") && l.contains(&mark))
    );
    assert_eq!(alice.ok(&["identity", "list"]), format!("bob  {mark}\n"));
    let listed = alice.json(&["identity", "list", "--json"]);
    assert_eq!((listed.len(), listed[0]["fingerprint"].as_str()), (1, Some(fingerprint.as_str())));
    assert!(
        alice.ok(&["history", "bob"]).contains(&format!("bound to the OpenPGP key {fingerprint}"))
    );

    // Words that differ take it away; so does forgetting.
    alice.ok(&["contact", "verify", "bob", "--no"]);
    assert_eq!(alice.ok(&["identity", "list"]), "");
    alice.ok(&["identity", "pgp-verify", "bob", &file, "--cert", &cert, "--json"]);
    alice.ok(&["identity", "forget", "bob"]);
    assert!(!alice.ok(&["contact", "list"]).contains("pgp:"));
    alice.fails(&["identity", "forget", "bob"], 3, "not bound to an OpenPGP key");

    // Another invite is another conversation, with other keys: what was signed for the first is
    // worth nothing there.
    let link = alice.ok(&["invite", "--as", "bob again"]);
    bob.ok(&["accept", link.trim(), "--as", "alice again"]);
    bob.send("alice again", "me again");
    assert_eq!(alice.recv(1), ["bob again: me again"]);
    refuses(&alice, "bob again", &signed, &cert, 6, "not this contact's");
}

#[test]
fn a_key_with_a_passphrase() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let bob = Person::new(home.path(), "bob", None);
    let dir = home.path().join("pgp");
    let args = ["identity", "pgp-key", "--out", &dir.display().to_string(), "--user-id", "Bob"];
    bob.fails(&args, 3, "no passphrase");
    assert!(!dir.exists());
    let mut command = bob.command(&args);
    let made = command
        .env("HUSHWING_PGP_PASSPHRASE", "correct horse")
        .output()
        .expect("the program starts");
    assert!(made.status.success(), "{made:?}");
    assert_eq!(std::fs::read_dir(&dir).expect("the keys").count(), 2);
    bob.fails(
        &["identity", "pgp-key", "--out", "/dev/null/x", "--user-id", "B", "--no-passphrase"],
        4,
        "cannot write",
    );
    bob.fails(
        &["identity", "pgp-key", "--out", "x", "--user-id", "", "--no-passphrase"],
        3,
        "a user id has",
    );
}

/// The real gpg with a home of its own.
struct Gpg {
    home: PathBuf,
}

impl Gpg {
    fn run(&self, args: &[&str], input: &str) -> Finished {
        let mut command = Command::new("gpg");
        command
            .args([
                "--batch",
                "--yes",
                "--no-tty",
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "",
            ])
            .args(args);
        command.env("GNUPGHOME", &self.home).env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("gpg starts");
        let mut stdin = child.stdin.take().expect("stdin");
        std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("gpg reads");
        drop(stdin);
        let done = child.wait_with_output().expect("gpg ends");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Finished {
            code: done.status.code().unwrap_or(-1),
            stdout: text(done.stdout),
            stderr: text(done.stderr),
        }
    }

    fn ok(&self, args: &[&str], input: &str) -> Finished {
        let done = self.run(args, input);
        assert_eq!(done.code, 0, "gpg {args:?}: {done:?}");
        done
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // Its agent would outlive the test.
        let _ =
            Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", &self.home).status();
    }
}

/// gpg, in a directory whose path is short enough for its sockets.
fn gpg() -> Option<(tempfile::TempDir, Gpg)> {
    let installed = Command::new("gpg")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !installed {
        println!("skipped: gpg is not installed");
        return None;
    }
    let dir = tempfile::Builder::new()
        .prefix("hw-gpg")
        .tempdir_in("/tmp")
        .expect("a temporary directory");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700))
        .expect("a private directory");
    let home = dir.path().to_owned();
    Some((dir, Gpg { home }))
}

#[test]
fn gpg_reads_what_we_make_and_we_read_what_gpg_makes() {
    let Some((_dir, gpg)) = gpg() else { return };
    let (_world, home, [alice, bob, _]) = three();
    let (fingerprint, secret, cert) = key(&bob, "Bob <bob@example.org>");
    let signed = bob.ok(&["identity", "pgp-sign", "alice", "--key", &secret]);

    // gpg imports the key, knows its fingerprint, and finds the signature good; an altered one it
    // does not.
    gpg.ok(&["--import", &cert], "");
    let listed = gpg.ok(&["--with-colons", "--list-keys"], "").stdout;
    assert!(listed.contains(&format!("fpr:::::::::{fingerprint}:")), "{listed}");
    assert!(listed.contains("Bob <bob@example.org>"), "{listed}");
    let good = gpg.ok(&["--verify"], &signed);
    assert!(good.stderr.contains("Good signature from \"Bob <bob@example.org>\""), "{good:?}");
    let bad = gpg.run(&["--verify"], &signed.replacen("signer: ", "signer: 0", 1));
    assert!(bad.code != 0 && bad.stderr.contains("BAD signature"), "{bad:?}");
    // It can sign with our secret key, and encrypt to it.
    gpg.ok(&["--import", &secret], "");
    let secret_words = gpg
        .ok(&["--armor", "--trust-model", "always", "--encrypt", "-r", &fingerprint], "for bob")
        .stdout;
    assert_eq!(gpg.ok(&["--decrypt"], &secret_words).stdout, "for bob");
    let statement = bob.ok(&["identity", "statement", "alice"]);
    let by_gpg = gpg.ok(&["--clearsign", "-u", &fingerprint], &statement).stdout;
    assert_eq!(verify(&alice, "bob", &by_gpg, &cert).stdout, format!("{fingerprint}\n"));
    alice.ok(&["identity", "forget", "bob"]);

    // Keys of gpg's own making: the primary signs; a subkey signs; RSA.
    for (name, algorithm, usage) in [
        ("ed", "ed25519", "cert,sign"),
        ("sub", "ed25519", "cert"),
        ("rsa", "rsa2048", "cert,sign"),
    ] {
        let user = format!("Bob {name} <{name}@example.org>");
        gpg.ok(&["--quick-generate-key", &user, algorithm, usage, "2y"], "");
        let listed = gpg.ok(&["--with-colons", "--list-keys", &user], "").stdout;
        let print =
            |l: &str| l.strip_prefix("fpr:::::::::").map(|l| l.trim_end_matches(':').to_owned());
        let theirs = listed.lines().find_map(print).expect("a fingerprint");
        if name == "sub" {
            gpg.ok(&["--quick-add-key", &theirs, "ed25519", "sign", "1y"], "");
        }
        // Others' signatures on a key are not our business.
        gpg.ok(&["-u", &fingerprint, "--quick-sign-key", &theirs], "");
        let cert = home.path().join(format!("{name}.asc")).display().to_string();
        gpg.ok(&["--armor", "--output", &cert, "--export", &theirs], "");
        let binary = home.path().join(format!("{name}.gpg")).display().to_string();
        gpg.ok(&["--output", &binary, "--export", &theirs], "");
        let signed = gpg.ok(&["--clearsign", "-u", &theirs], &statement).stdout;
        refuses(&alice, "bob", &signed.replacen("other: ", "other: 0", 1), &cert, 6, "altered");
        for cert in [&cert, &binary] {
            let done = verify(&alice, "bob", &signed, cert);
            assert_eq!((done.code, done.stdout.trim()), (0, theirs.as_str()), "{name}: {done:?}");
            assert!(done.stderr.contains(&user), "{done:?}");
            alice.ok(&["identity", "forget", "bob"]);
        }
        // Its secret key in a file signs here as well.
        let exported = home.path().join(format!("{name}.secret.asc")).display().to_string();
        gpg.ok(&["--armor", "--output", &exported, "--export-secret-keys", &theirs], "");
        let ours = bob.ok(&["identity", "pgp-sign", "alice", "--key", &exported]);
        gpg.ok(&["--verify"], &ours);
        assert_eq!(verify(&alice, "bob", &ours, &cert).code, 0);
        alice.ok(&["identity", "forget", "bob"]);

        // Revoked: gpg made the certificate for that with the key.
        let revocation = gpg.home.join(format!("openpgp-revocs.d/{theirs}.rev"));
        let text = std::fs::read_to_string(revocation)
            .expect("a revocation")
            .replace(":-----BEGIN", "-----BEGIN");
        gpg.ok(&["--import"], &text);
        let revoked = home.path().join(format!("{name}.revoked.asc")).display().to_string();
        gpg.ok(&["--armor", "--output", &revoked, "--export", &theirs], "");
        refuses(&alice, "bob", &signed, &revoked, 3, "is revoked");
    }

    // A key whose time is over, and a hash that people can forge.
    let late = [
        "--faked-system-time",
        "20200101T000000",
        "--quick-generate-key",
        "Late",
        "ed25519",
        "cert,sign",
        "1y",
    ];
    gpg.ok(&late, "");
    let expired = home.path().join("late.asc").display().to_string();
    gpg.ok(&["--armor", "--output", &expired, "--export", "Late"], "");
    let signed = gpg
        .ok(&["--faked-system-time", "20200201T000000", "--clearsign", "-u", "Late"], &statement)
        .stdout;
    refuses(&alice, "bob", &signed, &expired, 3, "has expired");
    let weak =
        gpg.ok(&["--digest-algo", "SHA1", "--clearsign", "-u", &fingerprint], &statement).stdout;
    refuses(&alice, "bob", &weak, &cert, 6, "the signature is bad");
}
