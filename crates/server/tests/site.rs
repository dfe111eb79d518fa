//! A static site as a stranger meets it.

mod common;

use std::net::SocketAddr;
use std::path::Path;

use common::{Client, ask};
use server::http::{Door, HttpLimits};
use server::site::Site;
use tokio::net::TcpListener;

async fn serve(folder: &Path, list: bool) -> (Door, SocketAddr) {
    let site = Site::open(folder, list).unwrap();
    let door = Door::new(site.router(), HttpLimits::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    door.serve(listener);
    (door, at)
}

/// `public/` is the site; beside it lies what nobody may see.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let public = dir.path().join("public");
    for folder in ["public/docs/deep", "public/bare", "public/.git", "private"] {
        std::fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    for (name, text) in [
        ("private/secret.txt", "secret"),
        ("public/index.html", "<h1>hello</h1>"),
        ("public/style.css", "body{}"),
        ("public/a b.txt", "with a space"),
        ("public/.env", "secret"),
        ("public/.git/config", "secret"),
        ("public/docs/index.html", "docs"),
        ("public/docs/deep/page.html", "deep"),
        ("public/bare/one.txt", "0123456789"),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    (dir, public)
}

#[tokio::test]
async fn files_come_with_their_types_and_the_security_headers() {
    let (_dir, public) = folder();
    let (door, at) = serve(&public, false).await;
    for (line, kind, body) in [
        ("GET /", "text/html", "<h1>hello</h1>"),
        ("GET /index.html", "text/html", "<h1>hello</h1>"),
        ("GET /style.css?version=3", "text/css", "body{}"),
        ("GET /a%20b.txt", "text/plain", "with a space"),
        ("GET /docs/", "text/html", "docs"),
        ("GET /docs/deep/page.html", "text/html", "deep"),
        ("HEAD /", "text/html", ""),
    ] {
        let reply = ask(at, line, &[], b"").await;
        assert_eq!((reply.status, reply.text().as_str()), (200, body), "{line}");
        assert_eq!(reply.header("content-type"), Some(kind), "{line}");
    }
    for line in ["GET /", "GET /nothing", "POST /"] {
        let reply = ask(at, line, &[], b"").await;
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'self'"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{line}");
        }
        assert!(reply.header("permissions-policy").is_some());
        // No program, no clock, no time of a file.
        for name in ["server", "date", "last-modified", "etag"] {
            assert_eq!(reply.header(name), None, "{line}");
        }
    }
    let folder = ask(at, "GET /docs", &[("Host", "name.onion")], b"").await;
    assert_eq!((folder.status, folder.header("location")), (308, Some("/docs/")));
    let part = ask(at, "GET /bare/one.txt", &[("Range", "bytes=2-4")], b"").await;
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    door.stop().await;
}

#[tokio::test]
async fn nothing_but_the_sites_files_is_served() {
    let (dir, public) = folder();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(dir.path().join("private/secret.txt"), public.join("leak.txt")).unwrap();
        symlink(dir.path().join("private"), public.join("leak")).unwrap();
        symlink("/", public.join("whole")).unwrap();
        symlink(".env", public.join("env.txt")).unwrap();
        symlink("loop", public.join("loop")).unwrap();
        symlink("style.css", public.join("same.css")).unwrap();
        symlink("../docs/index.html", public.join("bare/index.txt")).unwrap();
    }
    let (door, at) = serve(&public, true).await;
    for path in [
        "/../private/secret.txt",
        "/..%2fprivate/secret.txt",
        "/%2e%2e/private/secret.txt",
        "/docs/../../private/secret.txt",
        "/docs/..%2f..%2fprivate%2fsecret.txt",
        "/..\\private\\secret.txt",
        "//private/secret.txt",
        "/./index.html",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/.git/",
        "/leak.txt",
        "/leak/secret.txt",
        "/leak/",
        "/whole/etc/passwd",
        "/env.txt",
        "/loop",
        "/index.html/",
        "/index.html/x",
        "/style.css%00.html",
        "/nothing",
        "/etc/passwd",
    ] {
        let reply = ask(at, &format!("GET {path}"), &[], b"").await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(!reply.text().contains("secret") && !reply.text().contains("root:"), "{path}");
    }
    #[cfg(unix)]
    for path in ["/same.css", "/bare/index.txt"] {
        assert_eq!(
            ask(at, &format!("GET {path}"), &[], b"").await.status,
            200,
            "a link that stays inside: {path}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let reply = ask(at, &format!("{method} /"), &[], b"").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    door.stop().await;
}

#[tokio::test]
async fn a_folder_is_listed_only_when_asked_for() {
    let (_dir, public) = folder();
    let (door, at) = serve(&public, false).await;
    for path in ["/bare/", "/bare"] {
        assert_eq!(ask(at, &format!("GET {path}"), &[], b"").await.status, 404);
    }
    door.stop().await;
    std::fs::remove_file(public.join("index.html")).unwrap();
    let (door, at) = serve(&public, true).await;
    let top = ask(at, "GET /", &[], b"").await;
    assert_eq!(top.status, 200);
    for part in ["./bare/", "./docs/", "./a%20b.txt", "style.css"] {
        assert!(top.text().contains(part), "{part}: {}", top.text());
    }
    assert!(
        !top.text().contains("env")
            && !top.text().contains("git")
            && !top.text().contains("private")
    );
    assert!(ask(at, "GET /bare/", &[], b"").await.text().contains("../"));
    // An index wins.
    assert_eq!(ask(at, "GET /docs/", &[], b"").await.text(), "docs");
    door.stop().await;
}

#[tokio::test]
async fn when_a_file_was_written_cannot_be_asked() {
    let (_dir, public) = folder();
    let (door, at) = serve(&public, false).await;
    for (name, value) in [
        ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),
        ("If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"),
        ("If-None-Match", "*"),
    ] {
        assert_eq!(ask(at, "GET /style.css", &[(name, value)], b"").await.status, 200, "{name}");
    }
    door.stop().await;
}

#[tokio::test]
async fn a_large_file_arrives_whole_on_a_kept_connection() {
    let (_dir, public) = folder();
    let bytes: Vec<u8> =
        (0..3_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[2]).collect();
    std::fs::write(public.join("large.bin"), &bytes).unwrap();
    let (door, at) = serve(&public, false).await;
    let mut client = Client::connect(at).await;
    for _ in 0..2 {
        let reply = client.ask("GET /large.bin", &[], b"").await;
        assert!(reply.status == 200 && reply.body == bytes);
    }
    door.stop().await;
}

#[tokio::test]
async fn what_is_no_folder_is_refused() {
    let (dir, public) = folder();
    assert!(Site::open(&dir.path().join("absent"), false).is_err());
    assert!(Site::open(&public.join("index.html"), false).is_err());
}
