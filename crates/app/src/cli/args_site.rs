//! The command line of `onion-site`.

use std::path::PathBuf;

use clap::Args;
use settings::TorArgs;

const AFTER_HELP: &str = "\
Each site has a key of its own in --state, under its name: the same name gives the same address, for ever.
Whoever has that folder can be you. Prints DIR, a tab and the address of each site on stdout, once it can be found.";

/// Settings of `onion-site`.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct OnionSiteArgs {
    /// Folders to serve, one site each. NAME=DIR names the site; otherwise it is called as its
    /// folder.
    #[arg(required = true, value_name = "[NAME=]DIR")]
    pub dirs: Vec<String>,
    /// Keys of the sites, and Tor's state.
    #[arg(long, value_name = "DIR", default_value = "hushwing-sites")]
    pub state: PathBuf,
    /// Port that visitors name; 80 is what browsers take.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Show folders without an index.html as a list.
    #[arg(long)]
    pub list: bool,
    /// Serve nothing: write a configuration of tor and nginx for the same addresses into this
    /// folder.
    #[arg(long, value_name = "DIR")]
    pub emit_config: Option<PathBuf>,
    /// First of the ports of this machine at which nginx will be asked (with --emit-config).
    #[arg(long, value_name = "PORT", default_value_t = 8080, requires = "emit_config",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub local_port: u16,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}
