//! `lan …`: the local network, and boxes in a pocket.

mod bundle;
mod codes;
mod mesh;
mod nearby;

use api::{Failure, LanMode, ProfileOptions};
use clap::Subcommand;
use settings::{On, ProfileArgs};

pub use self::bundle::{BundleCommand, BundleInArgs, BundleOutArgs};
pub use self::mesh::MeshArgs;
pub use self::nearby::NearbyArgs;
use crate::session::{SharedProfiles, existing};

/// Commands about the local network.
#[derive(Debug, Clone, Subcommand)]
pub enum LanCommand {
    /// List neighbours and carried messages, or keep carrying messages for others.
    Mesh(On<MeshArgs>),
    /// Meet people: be visible, see who is there, knock, answer.
    Nearby(On<NearbyArgs>),
    /// Export or import messages as a file, to carry them on a USB stick.
    #[command(subcommand)]
    Bundle(BundleCommand),
}

pub(crate) async fn run(profiles: &SharedProfiles, command: LanCommand) -> Result<(), Failure> {
    match command {
        LanCommand::Mesh(on) => mesh::run(profiles, &on.at, on.args).await,
        LanCommand::Nearby(on) => nearby::run(profiles, &on.at, on.args).await,
        LanCommand::Bundle(command) => bundle::run(profiles, command).await,
    }
}

/// The profile with the local network in use, also where its settings say `off`.
fn with_lan(at: &ProfileArgs) -> ProfileOptions {
    let options = existing(at);
    ProfileOptions { lan: options.lan.or(Some(LanMode::On)), ..options }
}
