//! The engine in its surroundings: passphrases from the terminal, Tor from its settings, daemons
//! from this program's own command line.

use std::sync::Arc;

use api::{Failure, Obstacle, Profiles, Reason, Refusal, Value};
use engine::{Engines, PassphraseFor, Surroundings, TorSetup};
use net::tor::Tor;
use settings::passphrase::{self, BACKUP_VAR, PROFILE_VAR};
use wire::ErrorKind;
use zeroize::Zeroizing;

/// The profiles of this machine.
pub(crate) fn profiles() -> Arc<dyn Profiles> {
    Arc::new(Engines::new(Surroundings {
        base: None,
        passphrase: ask,
        tor,
        daemon,
        stopped: || Box::pin(settings::stopped()),
    }))
}

/// The daemon goes through the proxy that we go through.
fn daemon(options: &api::ProfileOptions) -> std::process::Command {
    let mut command = cli::daemon_command(options);
    if let Some(proxy) = net::Proxy::in_use() {
        command.env(crate::PROXY_VAR, proxy.to_text().as_str());
    }
    command
}

fn ask(wanted: PassphraseFor) -> Result<Zeroizing<String>, Refusal> {
    let asked = match wanted {
        PassphraseFor::Profile { new } => passphrase::ask(PROFILE_VAR, "passphrase", new),
        PassphraseFor::HandedOver => passphrase::from_stdin(),
        PassphraseFor::Backup { new } => {
            passphrase::ask(BACKUP_VAR, "passphrase of the backup", new)
        }
    };
    let none = |failure: Failure| {
        let reason = Reason::Profile { obstacle: Obstacle::NoPassphrase };
        Refusal::wrong(reason, failure.text())
    };
    asked.map_err(none)
}

fn tor(setup: &TorSetup<'_>) -> Result<Tor, Refusal> {
    let file = setup.file.map(std::path::Path::to_owned);
    settings::tor::for_profile(setup.engine, file, setup.state).map_err(|failure| {
        let reason = Reason::BadValue { what: Value::Setting };
        Refusal::new(ErrorKind::LocalConfig, reason, failure.text())
    })
}
