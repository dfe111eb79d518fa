//! What a confined process can do and what it cannot. Each policy is tried in a process of its own:
//! this test program again, running one test.
#![allow(unsafe_code, reason = "calls that no library offers are made by their number")]
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{FileExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use jail::{Confined, Missing, Network, Policy, enter};

const BASE: &str = "JAIL_TEST_BASE";
const ENTERED: &str = "entered: ";

/// Runs the test `what` of this program again, in which [`base`] finds `base`; it must pass. Its
/// output.
fn in_a_child(what: &str, base: &Path, more: &[(&str, String)]) -> String {
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", what, "--nocapture", "--test-threads=1"])
        .env(BASE, base)
        .envs(more.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{err}");
    let entered = out.lines().find_map(|l| l.split_once(ENTERED)).map(|(_, rest)| rest);
    let entered = entered.unwrap_or_else(|| panic!("the child has done nothing\n{out}\n{err}"));
    println!("{entered}");
    out.into_owned()
}

/// In the child: where it may write. `None` in the parent.
fn base() -> Option<PathBuf> {
    std::env::var_os(BASE).map(PathBuf::from)
}

fn enter_and_say(policy: &Policy) -> Confined {
    let confined = enter(policy).unwrap();
    println!("\n{ENTERED}{confined}");
    confined
}

/// Whether files are protected here; says so where they are not.
fn landlock(confined: &Confined, least: u32) -> bool {
    let there = confined.landlock().is_some_and(|abi| abi >= least);
    if !there {
        println!(
            "SKIPPED: landlock of ABI {least} is needed, this kernel has {:?}",
            confined.landlock()
        );
    }
    there
}

/// Whether a system call failed so.
fn errno<T: std::fmt::Debug>(result: rustix::io::Result<T>, expected: rustix::io::Errno) {
    assert_eq!(result.unwrap_err(), expected);
}

fn kind<T: std::fmt::Debug>(result: std::io::Result<T>, expected: ErrorKind) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), expected, "{error}");
}

#[test]
fn child_of_a_store() {
    let Some(base) = base() else { return };
    let home = base.join("home");
    let passwd = std::fs::File::open("/etc/passwd").unwrap();
    let policy = Policy {
        write: vec![home.clone()],
        read: vec![base.join("settings")],
        ..Policy::default()
    };
    let confined = enter_and_say(&Policy { network: Network::Any, ..policy });
    assert!(confined.seccomp(), "every kernel that runs these tests has it");

    does_what_a_role_does(&base, &home);

    // What nobody should.
    assert!(Command::new("/bin/true").status().is_err(), "no second process");
    assert_eq!(
        Command::new("/bin/true").exec().kind(),
        ErrorKind::PermissionDenied,
        "nor another program in this one"
    );
    forbidden_calls();
    if landlock(&confined, 1) {
        reaches_no_other_file(&base, &home);
    }
    // What was open before stays open.
    assert!(passwd.read_at(&mut [0; 8], 0).unwrap() > 0);
}

/// Files below what the policy allows, randomness, the boot id, threads and TCP.
fn does_what_a_role_does(base: &Path, home: &Path) {
    std::fs::create_dir(home.join("boxes")).unwrap();
    let file = home.join("boxes/1");
    std::fs::write(&file, b"a box").unwrap();
    std::fs::rename(&file, home.join("box")).unwrap();
    let opened = std::fs::OpenOptions::new().read(true).write(true).open(home.join("box")).unwrap();
    opened.write_all_at(b"B", 2).unwrap();
    opened.sync_all().and_then(|()| opened.set_len(3)).unwrap();
    assert_eq!(std::fs::read(home.join("box")).unwrap(), b"a B");
    assert_eq!(std::fs::read_dir(home).unwrap().count(), 3);
    assert_eq!(std::fs::read(base.join("settings")).unwrap(), b"settings");
    std::fs::remove_file(home.join("box"))
        .and_then(|()| std::fs::remove_dir(home.join("boxes")))
        .unwrap();
    let mut random = [0; 32];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
    assert_ne!(random, [0; 32]);
    // By this a relay knows that its journal of replays is whole.
    assert_eq!(
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().len(),
        36
    );
    // Threads, and TCP between them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let other = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(b"hello").unwrap();
    });
    let mut heard = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut heard).unwrap();
    other.join().unwrap();
    assert_eq!(heard, "hello");
    std::thread::sleep(Duration::from_millis(1));
    UdpSocket::bind("127.0.0.1:0").unwrap();
}

/// Files outside of what the policy allows, by every detour that landlock closes.
fn reaches_no_other_file(base: &Path, home: &Path) {
    kind(std::fs::read("/etc/passwd"), ErrorKind::PermissionDenied);
    kind(std::fs::read_dir("/"), ErrorKind::PermissionDenied);
    kind(std::fs::read(base.join("secret")), ErrorKind::PermissionDenied);
    kind(std::fs::write(base.join("elsewhere"), b"x"), ErrorKind::PermissionDenied);
    kind(std::fs::write(base.join("settings"), b"x"), ErrorKind::PermissionDenied);
    kind(
        std::fs::rename(base.join("settings"), home.join("settings")),
        ErrorKind::PermissionDenied,
    );
    // A link out of the allowed directory leads nowhere, and none can be made.
    kind(std::fs::read(home.join("link")), ErrorKind::PermissionDenied);
    kind(symlink("/etc/passwd", home.join("another")), ErrorKind::PermissionDenied);
    kind(std::fs::read("/proc/1/environ"), ErrorKind::PermissionDenied);
    kind(
        std::fs::read(Path::new("/proc/self/root").join("etc/passwd")),
        ErrorKind::PermissionDenied,
    );
    // It holds in threads that were started afterwards.
    std::thread::spawn(|| kind(std::fs::read("/etc/passwd"), ErrorKind::PermissionDenied))
        .join()
        .unwrap();
}

/// `EPERM`, for root too. With nothing but zeros none of these does harm where it is not refused.
fn forbidden_calls() {
    for call in [
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_open_by_handle_at,
        libc::SYS_init_module,
        libc::SYS_kexec_load,
        libc::SYS_setuid,
        libc::SYS_seccomp,
        libc::SYS_execveat,
    ] {
        // SAFETY: refused before its arguments are looked at; and null pointers are refused by the
        // kernel, not followed.
        let answer = unsafe { libc::syscall(call, 0, 0, 0, 0, 0, 0) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((answer, error), (-1, Some(libc::EPERM)), "call {call}");
    }
    // A call that nobody here knows does not exist.
    // SAFETY: as above.
    let answer = unsafe { libc::syscall(libc::SYS_semget, 0, 0, 0) };
    assert_eq!((answer, std::io::Error::last_os_error().raw_os_error()), (-1, Some(libc::ENOSYS)));
    use rustix::net::{AddressFamily, SocketType, socket};
    for (family, kind) in [
        (AddressFamily::INET, SocketType::RAW),
        (AddressFamily::PACKET, SocketType::RAW),
        (AddressFamily::VSOCK, SocketType::STREAM),
    ] {
        errno(socket(family, kind, None), rustix::io::Errno::PERM);
    }
    // Memory becomes no code.
    // SAFETY: a fresh mapping at an address of the system's choice.
    let code = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_EXEC,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_eq!(code, libc::MAP_FAILED);
}

#[test]
fn a_store_keeps_to_its_directory_and_to_harmless_calls() {
    let base = tempfile::tempdir().unwrap();
    std::fs::create_dir(base.path().join("home")).unwrap();
    std::fs::write(base.path().join("settings"), b"settings").unwrap();
    std::fs::write(base.path().join("secret"), b"secret").unwrap();
    symlink("/etc/passwd", base.path().join("home/link")).unwrap();
    in_a_child("child_of_a_store", base.path(), &[]);
}

#[test]
fn child_without_network() {
    let Some(_) = base() else { return };
    let address = std::env::var("JAIL_TEST_ADDRESS").unwrap();
    // Before, it works.
    TcpStream::connect(&address).unwrap();
    let confined = enter_and_say(&Policy::default());
    assert!(!confined.missing().contains(&Missing::Seccomp));
    kind(TcpStream::connect(&address), ErrorKind::PermissionDenied);
    kind(TcpListener::bind("127.0.0.1:0"), ErrorKind::PermissionDenied);
    kind(UdpSocket::bind("127.0.0.1:0"), ErrorKind::PermissionDenied);
    let (mut a, mut b) = UnixStream::pair().unwrap();
    a.write_all(b"x").and_then(|()| b.read_exact(&mut [0])).unwrap();
}

#[test]
fn without_network_no_socket_leaves_the_machine() {
    let base = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    in_a_child("child_without_network", base.path(), &[("JAIL_TEST_ADDRESS", address)]);
}

#[test]
fn child_with_one_port() {
    let Some(_) = base() else { return };
    let [allowed, other] =
        ["ALLOWED", "OTHER"].map(|name| std::env::var(name).unwrap().parse::<u16>().unwrap());
    let network = Network::Ports { connect: vec![allowed], listen: vec![] };
    let confined = enter_and_say(&Policy { network, ..Policy::default() });
    kind(UdpSocket::bind("127.0.0.1:0"), ErrorKind::PermissionDenied);
    errno(
        rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            Some(rustix::net::ipproto::MPTCP),
        ),
        rustix::io::Errno::PERM,
    );
    TcpStream::connect(("127.0.0.1", allowed)).unwrap();
    assert_eq!(
        confined.missing().contains(&Missing::Ports),
        confined.landlock().is_some_and(|abi| abi < 4)
    );
    if landlock(&confined, 4) {
        kind(TcpStream::connect(("127.0.0.1", other)), ErrorKind::PermissionDenied);
        kind(TcpListener::bind(("127.0.0.1", other)), ErrorKind::PermissionDenied);
    }
}

#[test]
fn only_the_ports_of_the_policy_can_be_reached() {
    let base = tempfile::tempdir().unwrap();
    let [one, two] = [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let port = |l: &TcpListener| l.local_addr().unwrap().port().to_string();
    in_a_child(
        "child_with_one_port",
        base.path(),
        &[("ALLOWED", port(&one)), ("OTHER", port(&two))],
    );
}

#[test]
fn child_that_starts_a_program() {
    let Some(base) = base() else { return };
    let policy = Policy {
        exec: vec!["/bin/cat".into()],
        read: vec![base.join("settings")],
        ..Policy::default()
    };
    let confined = enter_and_say(&policy);
    let shown = Command::new("/bin/cat").arg(base.join("settings")).output().unwrap();
    assert_eq!(shown.stdout, b"settings", "{shown:?}");
    if landlock(&confined, 1) {
        kind(Command::new("/bin/true").status(), ErrorKind::PermissionDenied);
        // What is started is confined like us.
        let refused = Command::new("/bin/cat").arg(base.join("secret")).output().unwrap();
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{refused:?}");
    }
    errno(rustix::process::chroot("/"), rustix::io::Errno::PERM);
}

#[test]
fn one_program_can_be_allowed_and_is_confined_too() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("settings"), b"settings").unwrap();
    std::fs::write(base.path().join("secret"), b"secret").unwrap();
    in_a_child("child_that_starts_a_program", base.path(), &[]);
}

/// The `tor` along `PATH`, if there is one.
fn tor() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join("tor")).find(|p| p.is_file())
}

#[test]
fn child_that_starts_tor() {
    let (Some(base), Some(tor)) = (base(), tor()) else { return };
    let policy = Policy {
        exec: vec![tor.clone()],
        write: vec![base.clone()],
        network: Network::Any,
        ..Policy::default()
    };
    enter_and_say(&policy);
    let data = base.join("data");
    let mut running = Command::new(tor)
        .args([
            "--defaults-torrc",
            "/dev/null",
            "--ignore-missing-torrc",
            "-f",
            "/dev/null",
            "--DisableNetwork",
            "1",
        ])
        .args([
            "--SocksPort",
            "127.0.0.1:auto",
            "--ControlPort",
            "127.0.0.1:auto",
            "--Log",
            "notice stdout",
        ])
        .arg("--DataDirectory")
        .arg(&data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(running.stdout.take().unwrap()));
    // Up to its ports, with its state on the disk: whatever it needed, it was given.
    let up = lines
        .map_while(Result::ok)
        .inspect(|line| said.push(line.clone()))
        .any(|line| line.contains("Bootstrapped 0%"));
    running.kill().and_then(|()| running.wait().map(drop)).unwrap();
    assert!(up && data.is_dir(), "{said:?}");
}

#[test]
fn a_private_tor_runs_confined() {
    if tor().is_none() {
        println!("SKIPPED: no tor is installed");
        return;
    }
    let base = tempfile::tempdir().unwrap();
    in_a_child("child_that_starts_tor", base.path(), &[]);
}

#[test]
fn child_that_removes_a_scratch_directory() {
    let Some(base) = base() else { return };
    let scratch = jail::Scratch::new_in(&base).unwrap();
    let policy = Policy {
        write: vec![scratch.path().to_owned()],
        empty: vec![base.clone()],
        ..Policy::default()
    };
    let confined = enter_and_say(&policy);
    std::fs::write(scratch.path().join("key"), b"x").unwrap();
    drop(scratch);
    if landlock(&confined, 1) {
        // Full ones, and files beside it, are out of reach.
        kind(std::fs::remove_file(base.join("other/file")), ErrorKind::PermissionDenied);
    }
}

#[test]
fn a_scratch_directory_is_removed_from_within() {
    let base = tempfile::tempdir().unwrap();
    std::fs::create_dir(base.path().join("other")).unwrap();
    std::fs::write(base.path().join("other/file"), b"x").unwrap();
    in_a_child("child_that_removes_a_scratch_directory", base.path(), &[]);
    let left: Vec<_> =
        std::fs::read_dir(base.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["other"]);
}

#[test]
fn child_that_is_hardened() {
    let Some(_) = base() else { return };
    jail::harden();
    jail::keep_files_private();
    println!("\n{ENTERED}hardened");
    let limits = rustix::process::getrlimit(rustix::process::Resource::Core);
    assert_eq!((limits.current, limits.maximum), (Some(0), Some(0)));
    assert_eq!(
        rustix::process::dumpable_behavior().unwrap(),
        rustix::process::DumpableBehavior::NotDumpable
    );
    let base = base().unwrap();
    std::fs::write(base.join("file"), b"x").unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(base.join("file")).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_hardened_process_leaves_no_core_and_makes_private_files() {
    let base = tempfile::tempdir().unwrap();
    in_a_child("child_that_is_hardened", base.path(), &[]);
}

#[test]
fn a_directory_that_is_not_there_is_an_error_and_confines_nothing() {
    let policy = Policy { write: vec!["/nowhere/at/all".into()], ..Policy::default() };
    let error = enter(&policy).unwrap_err();
    assert_eq!(error.kind(), wire::ErrorKind::LocalStorage);
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    assert!(std::fs::read("/etc/passwd").is_ok());
}
