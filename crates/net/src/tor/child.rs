//! A tor process of our own: started with a hardened torrc, ended with us.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::{TorError, TorSettings, Vanguards};
use crate::Proxy;

const LAUNCH: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Starts tor; the control port that it chose comes back with it.
pub(super) async fn start(
    settings: &TorSettings,
) -> Result<(Child, std::net::SocketAddr), TorError> {
    let program = settings.program().ok_or(TorError::NoBinary)?;
    make_private(&settings.dir)?;
    let port_file = settings.dir.join("control-port");
    let _ = std::fs::remove_file(&port_file);
    let torrc = settings.dir.join("torrc");
    std::fs::write(&torrc, lines(settings, &port_file).join("\n")).map_err(|_| TorError::State)?;
    let mut child = Command::new(program)
        .arg("-f")
        .arg(&torrc)
        .args(["--defaults-torrc", "/dev/null", "--ignore-missing-torrc"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|_| TorError::NoBinary)?;
    let chosen = async {
        loop {
            let text = std::fs::read_to_string(&port_file).unwrap_or_default();
            if let Some(port) = text.trim().strip_prefix("PORT=").and_then(|p| p.parse().ok()) {
                return Ok(port);
            }
            tokio::select! {
                _ = child.wait() => return Err(TorError::BinaryFailed),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    };
    let control =
        tokio::time::timeout(LAUNCH, chosen).await.map_err(|_| TorError::BinaryFailed)??;
    Ok((child, control))
}

fn make_private(dir: &Path) -> Result<(), TorError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|_| TorError::State)
}

/// The torrc. Each line says what it is for in tor's own manual.
fn lines(settings: &TorSettings, port_file: &Path) -> Vec<String> {
    let mut lines: Vec<String> = [
        "SocksPort 127.0.0.1:auto IsolateSOCKSAuth",
        "ControlPort 127.0.0.1:auto",
        "CookieAuthentication 1",
        "ClientOnly 1",
        "ClientUseIPv6 0",
        "AvoidDiskWrites 1",
        "EnforceDistinctSubnets 1",
        "SafeLogging 1",
        "DisableDebuggerAttachment 1",
        "ShutdownWaitLength 0",
        "Log err stderr",
    ]
    .map(str::to_owned)
    .to_vec();
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let path = |p: &Path| quoted(&p.to_string_lossy());
    lines.push(format!("DataDirectory {}", path(&settings.dir.join("data"))));
    lines.push(format!("ControlPortWriteToFile {}", path(port_file)));
    // Ends by itself when we are gone, however we went.
    lines.push(format!("__OwningControllerProcess {}", std::process::id()));
    lines.push(format!("NewCircuitPeriod {}", settings.new_circuit_after.as_secs().max(1)));
    lines.push(format!(
        "MaxCircuitDirtiness {}",
        settings.renew_every.map_or(600, |d| d.as_secs().max(10))
    ));
    lines.push(format!("VanguardsLiteEnabled {}", u8::from(settings.vanguards != Vanguards::Off)));
    if !settings.guards.is_empty() {
        lines.push(format!("EntryNodes {}", settings.guards.join(",")));
        lines.push("StrictNodes 1".to_owned());
    }
    if !settings.bridges.is_empty() {
        lines.push("UseBridges 1".to_owned());
        lines.extend(
            settings
                .bridges
                .iter()
                .map(|b| format!("Bridge {}", b.strip_prefix("Bridge ").unwrap_or(b))),
        );
        for transport in &settings.transports {
            lines.push(format!(
                "ClientTransportPlugin {} exec {}",
                transport.name,
                transport.path.to_string_lossy()
            ));
        }
    }
    if let Some(proxy) = Proxy::in_use() {
        lines.push(format!("Socks5Proxy {}", proxy.at()));
        if let Some((user, password)) = proxy.login() {
            lines.push(format!("Socks5ProxyUsername {}", quoted(user)));
            lines.push(format!("Socks5ProxyPassword {}", quoted(password)));
        }
    }
    // A line break would begin another setting.
    lines.extend(settings.torrc.iter().cloned());
    lines.retain(|line| !line.contains(['\n', '\r']));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardened_torrc_and_no_smuggled_lines() {
        let mut settings = TorSettings::new("/tmp/x".into());
        settings.bridges =
            vec!["127.0.0.1:1 AA".into(), "127.0.0.1:1 AA\nControlPort 0.0.0.0:9".into()];
        let text = lines(&settings, Path::new("/tmp/x/port")).join("\n");
        for line in [
            "NewCircuitPeriod 30",
            "EnforceDistinctSubnets 1",
            "ClientUseIPv6 0",
            "AvoidDiskWrites 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}");
        }
        assert!(text.contains("MaxCircuitDirtiness 300") && text.contains("Bridge 127.0.0.1:1 AA"));
        assert!(!text.contains("0.0.0.0"));
    }
}
