//! `hushwing onion-site`, as far as it goes without Tor, and `hushwing hub --http`.

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Lines, Process, SOON, World, free_port, hushwing, run};

struct Sites {
    dir: tempfile::TempDir,
}

impl Sites {
    fn new() -> Sites {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in ["blog", "shop"] {
            std::fs::create_dir(dir.path().join(name)).expect("a folder");
            std::fs::write(dir.path().join(name).join("index.html"), name).expect("a file");
        }
        Sites { dir }
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn emit(&self, out: &str, dirs: &[&str]) -> common::Finished {
        let mut args = vec!["onion-site".to_owned(), "--state".into(), self.at("state")];
        args.extend(["--emit-config".into(), self.at(out)]);
        args.extend(dirs.iter().map(|d| self.at(d)));
        run(args.iter().map(String::as_str))
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).expect("a file"));
        }
    }
    found
}

#[test]
fn a_configuration_is_written_once_and_again_the_same() {
    let sites = Sites::new();
    let first = sites.emit("out", &["blog", "shop"]);
    assert_eq!(first.code, 0, "{first:?}");
    let written = files(Path::new(&sites.at("out")));
    let again = sites.emit("out", &["blog", "shop"]);
    assert_eq!((again.code, &again.stdout), (0, &first.stdout));
    assert_eq!(files(Path::new(&sites.at("out"))), written);

    let lines: Vec<(&str, &str)> =
        first.stdout.lines().filter_map(|l| l.split_once('\t')).collect();
    assert_eq!(
        lines.iter().map(|(dir, _)| (*dir).to_owned()).collect::<Vec<_>>(),
        [sites.at("blog"), sites.at("shop")]
    );
    for (name, (_, url)) in ["blog", "shop"].iter().zip(&lines) {
        let onion =
            url.strip_prefix("http://").and_then(|u| u.strip_suffix('/')).expect("an address");
        let hostname = std::fs::read_to_string(sites.at(&format!("out/onion/{name}/hostname")))
            .expect("a name");
        assert_eq!(hostname, format!("{onion}\n"));
        let pattern = onion.replace('.', "\\.");
        let nginx = std::fs::read_to_string(sites.at("out/nginx.conf")).expect("nginx.conf");
        assert!(nginx.contains(&format!("server_name ~^{pattern}$;")), "{nginx}");
        for header in [
            "X-Frame-Options",
            "X-Content-Type-Options",
            "Referrer-Policy",
            "Content-Security-Policy",
        ] {
            assert!(nginx.contains(&format!("add_header {header} ")), "{header}");
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |p: &str| {
            std::fs::metadata(sites.at(p)).expect("it is there").permissions().mode() & 0o777
        };
        assert_eq!(
            (mode("out/onion/blog"), mode("out/onion/blog/hs_ed25519_secret_key")),
            (0o700, 0o600)
        );
        assert_eq!(mode("state/keys/blog/onion-key"), 0o600);
    }
    // Beside its two folders it has left everything as it was.
    let mut names: Vec<_> = std::fs::read_dir(sites.dir.path())
        .expect("a folder")
        .map(|e| e.expect("one").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["blog", "out", "shop", "state"]);
    assert_eq!(files(Path::new(&sites.at("blog"))).len(), 1);
}

/// Runs a checker over the configuration; `false` when it is not installed.
fn accepts(command: &mut Command) -> bool {
    match command.output() {
        Err(_) => {
            println!("SKIPPED: {} is not installed", command.get_program().display());
            false
        }
        Ok(ended) => {
            let said =
                String::from_utf8_lossy(&ended.stderr) + String::from_utf8_lossy(&ended.stdout);
            assert!(ended.status.success(), "{command:?}: {said}");
            true
        }
    }
}

#[test]
fn tor_takes_its_part_and_the_keys() {
    let sites = Sites::new();
    assert_eq!(sites.emit("out", &["blog", "shop"]).code, 0);
    let torrc = sites.at("out/torrc.snippet");
    let data = sites.at("data");
    let defaults = sites.at("defaults");
    std::fs::write(&defaults, "").expect("a file");
    let check =
        ["--verify-config", "-f", &torrc, "--defaults-torrc", &defaults, "--DataDirectory", &data];
    if !accepts(Command::new("tor").args(check)) {
        return;
    }
    // Tor reads the keys only when it runs: without a network it makes the service from them and
    // keeps the name.
    let before = files(Path::new(&sites.at("out/onion")));
    let mut command = Command::new("tor");
    command.args([
        "-f",
        &torrc,
        "--defaults-torrc",
        &defaults,
        "--DataDirectory",
        &data,
        "--DisableNetwork",
        "1",
    ]);
    command.args(["--SocksPort", "0", "--Log", "notice stdout"]);
    let mut tor = Process::spawn("tor", command, Lines::default());
    assert!(
        tor.stdout.wait_line(0, "DisableNetwork is set", SOON).is_some(),
        "{:?}",
        tor.stdout.all()
    );
    // It may not listen for signals yet.
    tor.kill();
    let after = files(Path::new(&sites.at("out/onion")));
    for (path, bytes) in before {
        assert_eq!(after.get(&path), Some(&bytes), "tor changed {}", path.display());
    }
}

#[test]
fn nginx_takes_its_part() {
    let sites = Sites::new();
    assert_eq!(sites.emit("out", &["blog", "shop"]).code, 0);
    let whole = format!(
        "pid {0}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\ninclude {0}/out/nginx.conf;\n{1}}}\n",
        sites.dir.path().display(),
        // Not the system's own folders, which a user cannot write.
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|of| format!("{of}_temp_path {}/temp-{of};\n", sites.dir.path().display()))
            .concat(),
    );
    let file = sites.at("nginx-whole.conf");
    std::fs::write(&file, whole).expect("a file");
    accepts(Command::new("nginx").args(["-t", "-q", "-p", &sites.at(""), "-c", &file]));
}

#[test]
fn what_is_no_site_is_refused_with_a_hint() {
    let sites = Sites::new();
    std::fs::create_dir_all(sites.at("other/blog")).expect("a folder");
    std::fs::create_dir_all(sites.at("a $ b")).expect("a folder");
    for (dirs, says) in [
        (&["nowhere"][..], "nowhere"),
        (&["blog/index.html"], "index.html"),
        (&["blog", "other/blog"], "two sites are called blog"),
        (&["a $ b"], "not usable as a site's name"),
    ] {
        let ended = sites.emit("out", dirs);
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(
            ended.stdout.is_empty()
                && ended.stderr.contains(says)
                && ended.stderr.contains("hint: "),
            "{ended:?}"
        );
    }
    assert_eq!(run(["onion-site"]).code, 2);
    // A folder with the keys in it is never served, and no key is written into a site.
    let ended = sites.emit("blog/out", &["blog"]);
    assert!(ended.code == 3 && ended.stderr.contains("--emit-config"), "{ended:?}");
    assert!(!Path::new(&sites.at("blog/out/onion")).exists());
    let args = [
        "onion-site",
        "--state",
        &sites.at("state"),
        "--tor-settings",
        "/nowhere/at/all",
        &sites.at("blog"),
    ];
    let ended = run(args);
    assert!(ended.code == 3 && ended.stderr.contains("hint: "), "{ended:?}");
}

/// One request on a connection of its own, and the whole answer.
fn http(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.write_all(request.as_bytes()).expect("a writable connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_hub_answers_http_and_logs_nobody() {
    let mut world = World::new().relays(1).start();
    let network = world.path().join("directory");
    let port = free_port();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = hushwing();
    command.args([
        "node",
        "hub",
        "-vv",
        "--listen",
        "127.0.0.1:0",
        "--http",
        &format!("127.0.0.1:{port}"),
        "--network",
    ]);
    command
        .arg(network.join("network"))
        .arg("--token")
        .arg(network.join("token"))
        .arg("--dir")
        .arg(dir.path());
    let mut hub = Process::spawn("hub-http", command, Lines::default());
    assert!(
        hub.stderr.wait_line(0, "HTTP at http://127.0.0.1:", SOON).is_some(),
        "{:?}",
        hub.stderr.all()
    );
    let ping = http(port, "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(ping.starts_with("HTTP/1.1 200 OK\r\n") && ping.ends_with("{\"ok\":true}"), "{ping}");
    let key = std::fs::read_to_string(dir.path().join("http-key")).expect("a key");
    let id = "5e".repeat(32);
    let get = format!(
        "GET /boxes/{id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}Connection: close\r\n\r\n"
    );
    let none = http(port, &get.replace('\n', "\r\n").replace("\r\r\n", "\r\n"));
    assert!(none.starts_with("HTTP/1.1 404"), "{none}");
    assert!(hub.stderr.wait_line(0, "/boxes/{id}", SOON).is_some(), "{:?}", hub.stderr.all());
    hub.stop();
    let log = hub.stderr.all().join("\n");
    assert!(!log.contains(&id) && !log.contains(key.trim()), "{log}");
    // What it says of itself at the start is the only address.
    let addresses = log.lines().filter(|l| l.contains("127.0.0.1"));
    assert!(addresses.clone().all(|l| l.starts_with("hub ") || l.starts_with("HTTP at ")), "{log}");
    world.stop();
}
