//! One process of the network: its keys, its torrc, its life.

use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::schedule::Schedule;
use crate::{Control, Error, Relay, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Authority,
    Relay,
    Exit,
    Bridge,
    Client,
}

/// What all torrcs of a network share.
pub(crate) struct Common {
    pub(crate) lines: Vec<String>,
    pub(crate) schedule: Schedule,
    pub(crate) exits: bool,
    pub(crate) bandwidths: PathBuf,
    pub(crate) obfs4proxy: Option<PathBuf>,
}

pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) nick: String,
    pub(crate) data: PathBuf,
    pub(crate) fingerprint: String,
    pub(crate) ed25519: String,
    v3ident: String,
    ip: Ipv4Addr,
    ports: Ports,
    child: Option<Child>,
}

/// Ports of a node; each kind uses some of them.
struct Ports {
    control: u16,
    /// SOCKS of a client, else where relays connect.
    main: u16,
    directory: u16,
    obfs4: u16,
    extended: u16,
    /// Held until the process starts, so that no two nodes get the same.
    held: Vec<TcpListener>,
}

impl Ports {
    fn draw(ip: Ipv4Addr) -> Ports {
        let mut held = Vec::new();
        let mut next = || {
            loop {
                // Below the range that outgoing connections take their ports from.
                let random = std::hash::RandomState::new().build_hasher().finish();
                let port = u16::try_from(10_000 + random % 22_000).unwrap_or_default();
                if let Ok(listener) = TcpListener::bind((ip, port)) {
                    held.push(listener);
                    return port;
                }
            }
        };
        let [control, main, directory, obfs4, extended] = std::array::from_fn(|_| next());
        Ports { control, main, directory, obfs4, extended, held }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Node {
    /// The `n`-th node. Relays have addresses that differ in their first 16 bits: no path takes two
    /// of one network.
    pub(crate) fn new(root: &Path, kind: Kind, n: u8) -> Result<Node> {
        let ip = if kind == Kind::Client {
            Ipv4Addr::LOCALHOST
        } else {
            Ipv4Addr::new(127, 20 + n, 0, 1)
        };
        let name = match kind {
            Kind::Authority => "auth",
            Kind::Relay => "relay",
            Kind::Exit => "exit",
            Kind::Bridge => "bridge",
            Kind::Client => "client",
        };
        let nick = format!("{name}{n}");
        let data = root.join(&nick);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data.join("keys"))
            .map_err(Error::io(&data))?;
        Ok(Node {
            kind,
            nick,
            data,
            fingerprint: String::new(),
            ed25519: String::new(),
            v3ident: String::new(),
            ip,
            ports: Ports::draw(ip),
            child: None,
        })
    }

    /// Makes its keys and learns its fingerprints.
    pub(crate) fn make_keys(&mut self) -> Result<()> {
        if self.kind == Kind::Client {
            return Ok(());
        }
        let keys = self.data.join("keys");
        if self.kind == Kind::Authority {
            let mut gencert = Command::new("tor-gencert");
            gencert.args(["--create-identity-key", "--passphrase-fd", "0", "-m", "12"]);
            for (option, file) in
                [("-i", "identity_key"), ("-s", "signing_key"), ("-c", "certificate")]
            {
                gencert.arg(option).arg(keys.join(format!("authority_{file}")));
            }
            run("tor-gencert", &mut gencert, b"\n")?;
            let certificate = read(&keys.join("authority_certificate"))?;
            self.v3ident = word_after(&certificate, "\nfingerprint ")?;
        }
        let mut list = Command::new("tor");
        list.args([
            "--quiet",
            "-f",
            "/dev/null",
            "--defaults-torrc",
            "/dev/null",
            "--ignore-missing-torrc",
        ]);
        list.arg("--list-fingerprint");
        list.args(["--Nickname", &self.nick, "--ORPort", "1", "--DataDirectory"]).arg(&self.data);
        list.args(["--DirAuthority", &format!("x 127.0.0.1:1 {}", "F".repeat(40))]);
        run("tor --list-fingerprint", &mut list, b"")?;
        let own = format!("{} ", self.nick);
        self.fingerprint =
            read(&self.data.join("fingerprint"))?.replacen(&own, "", 1).replace([' ', '\n'], "");
        self.ed25519 = word_after(&read(&self.data.join("fingerprint-ed25519"))?, &own)?;
        Ok(())
    }

    /// The line by which everybody knows this authority.
    pub(crate) fn authority_line(&self) -> String {
        let Ports { main, directory, .. } = self.ports;
        format!(
            "DirAuthority {} orport={main} no-v2 v3ident={} {}:{directory} {}",
            self.nick, self.v3ident, self.ip, self.fingerprint
        )
    }

    pub(crate) fn write_torrc(&self, common: &Common) -> Result<()> {
        let mut lines = common.lines.clone();
        lines.extend(self.lines(common));
        let path = self.data.join("torrc");
        fs::write(&path, lines.join("\n") + "\n").map_err(Error::io(&path))
    }

    fn lines(&self, common: &Common) -> Vec<String> {
        let Node {
            nick, ip, ports: Ports { control, main, directory, obfs4, extended, .. }, ..
        } = self;
        let data = self.data.display();
        let mut text = format!(
            "DataDirectory {data}\nLog notice file {data}/notice.log\nSafeLogging 0\n\
             ControlPort {ip}:{control}\nCookieAuthentication 1\n__OwningControllerProcess {owner}\n\
             ShutdownWaitLength 0\nGeoIPFile\nGeoIPv6File\n",
            owner = std::process::id()
        );
        if self.kind == Kind::Client {
            // C tor picks its second layer of guards when a consensus arrives, before it has any
            // relay's description: the first pick is nearly empty, and every internal circuit fails
            // until the next consensus.
            text += &format!("SocksPort {ip}:{main}\nVanguardsLiteEnabled 0\n");
        } else {
            text += &format!(
                "Nickname {nick}\nAddress {ip}\nORPort {ip}:{main}\nOutboundBindAddress {ip}\nSocksPort 0\n\
                 AssumeReachable 1\nContactInfo test@test.invalid\n"
            );
            text += match self.kind {
                // Clients see a summary of the policy, in which one network counts for nothing: so
                // it names all. But what is sent from a loopback address stays on this machine. And
                // no name is looked up.
                Kind::Exit => {
                    "ExitRelay 1\nExitPolicyRejectPrivate 0\nExitPolicy accept *:*\nServerDNSResolvConfFile /dev/null\n\
                     ServerDNSDetectHijacking 0\nServerDNSTestAddresses\n"
                }
                _ => "ExitRelay 0\nExitPolicy reject *:*\n",
            };
        }
        if self.kind == Kind::Authority {
            // Valid for as long as any network stands: a relay that misses a consensus would else
            // hand out none that clients take, and they would wait for a minute or more.
            let Schedule { interval, .. } = common.schedule;
            for prefix in ["TestingV3AuthInitial", "V3Auth"] {
                text += &format!(
                    "{prefix}VotingInterval {interval} seconds\n{prefix}VoteDelay 2 seconds\n{prefix}DistDelay 2 seconds\n"
                );
            }
            text += &format!(
                "DirPort {ip}:{directory}\nAuthoritativeDirectory 1\nV3AuthoritativeDirectory 1\n\
                 V3AuthNIntervalsValid 40\nTestingDirAuthVoteHSDir *\nTestingDirAuthVoteGuard *\n\
                 MinUptimeHidServDirectoryV2 0\nTestingMinExitFlagThreshold 0\n\
                 TestingAuthDirTimeToLearnReachability 0 minutes\nV3BandwidthsFile {}\n",
                common.bandwidths.display()
            );
            text += if common.exits { "TestingDirAuthVoteExit *\n" } else { "" };
            // Arti takes the length of a time period from the first of these, C tor on a testing
            // network uses 24 voting intervals: they must agree. And both learn how long a circuit
            // may take, which is so little on loopback that on a busy machine most of them would
            // then fail: hence a floor. And each directory keeps each descriptor, so that it does
            // not matter from which consensus somebody reckons where it lies.
            text += &format!(
                "ConsensusParams hsdir_interval={} hsdir_spread_store=8 cbtmintimeout=10000 cbtinitialtimeout=10000\n",
                common.schedule.period_minutes()
            );
        }
        if self.kind == Kind::Bridge {
            text += "BridgeRelay 1\nPublishServerDescriptor 0\nBridgeRecordUsageByCountry 0\n";
            if let Some(program) = &common.obfs4proxy {
                text += &format!(
                    "ServerTransportPlugin obfs4 exec {}\nServerTransportListenAddr obfs4 {ip}:{obfs4}\nExtORPort {ip}:{extended}\n",
                    program.display()
                );
            }
        }
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        self.ports.held.clear();
        let path = self.output();
        let output = fs::File::create(&path).map_err(Error::io(&path))?;
        let errors = output.try_clone().map_err(Error::io(&path))?;
        let mut tor = Command::new("tor");
        tor.arg("-f").arg(self.data.join("torrc")).args(["--defaults-torrc", "/dev/null"]);
        tor.stdin(Stdio::null()).stdout(output).stderr(errors).current_dir("/");
        self.child = Some(tor.spawn().map_err(Error::io("tor"))?);
        Ok(())
    }

    /// An error with the end of its output if the process has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(_))) => {
                Err(Error::Died(self.nick.clone(), read(&self.output()).unwrap_or_default()))
            }
            _ => Ok(()),
        }
    }

    /// Whether it has loaded all descriptions of relays, and so can hand them out.
    pub(crate) fn has_directory(&self) -> bool {
        self.data.join("cached-microdescs.new").exists()
    }

    /// The bridge's `cert=… iat-mode=…`, once obfs4proxy has written it.
    pub(crate) fn obfs4_arguments(&self) -> Option<String> {
        let text = fs::read_to_string(self.data.join("pt_state/obfs4_bridgeline.txt")).ok()?;
        let start = text.rfind("cert=")?;
        text.get(start..).map(|arguments| arguments.trim().to_owned())
    }

    pub(crate) fn control(&self) -> Result<Control> {
        Control::connect(self.control_at(), &self.data)
    }

    pub(crate) fn control_at(&self) -> SocketAddr {
        (self.ip, self.ports.control).into()
    }

    /// SOCKS of a client, else where relays and clients connect.
    pub(crate) fn main_at(&self) -> SocketAddr {
        (self.ip, self.ports.main).into()
    }

    pub(crate) fn directory_at(&self) -> SocketAddr {
        (self.ip, self.ports.directory).into()
    }

    pub(crate) fn v3ident(&self) -> &str {
        &self.v3ident
    }

    pub(crate) fn as_relay(&self, obfs4: bool) -> Relay {
        Relay {
            nick: self.nick.clone(),
            fingerprint: self.fingerprint.clone(),
            or: self.main_at(),
            obfs4: (obfs4 && self.kind == Kind::Bridge).then(|| (self.ip, self.ports.obfs4).into()),
            control: self.control_at(),
            data: self.data.clone(),
        }
    }

    fn output(&self) -> PathBuf {
        self.data.join("output.log")
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::io(path))
}

fn word_after(text: &str, before: &str) -> Result<String> {
    let word = text.split_once(before).and_then(|(_, rest)| rest.split_whitespace().next());
    word.map(|w| w.trim_end_matches('=').to_owned())
        .ok_or_else(|| Error::Program("tor", format!("no {before:?} in its answer")))
}

fn run(name: &'static str, command: &mut Command, input: &[u8]) -> Result<()> {
    let failed = |e: std::io::Error| Error::Program(name, e.to_string());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A process that has ended says why.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Program(
        name,
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    ))
}
