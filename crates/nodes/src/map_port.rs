//! `--map-port`: the home router is asked to forward the port that a role listens on.

use api::Failure;
use clap::Args;
use net::{Proxy, Routes};
use server::{PortReport, PortReports};
use wire::ErrorKind;

/// The option of every role that listens.
#[derive(Debug, Clone, Default, Args)]
pub struct MapPortArgs {
    /// Ask the home router to forward the port (PCP, NAT-PMP or UPnP), and announce the router's
    /// address.
    #[arg(long)]
    pub map_port: bool,
    /// The routes, opened before the process was confined.
    #[arg(skip)]
    routes: Option<Routes>,
}

impl MapPortArgs {
    /// Looks at the options together, and opens what a confined process could not; `setting` is
    /// what the settings file says.
    ///
    /// # Errors
    /// A proxy, which the question to the router would go around; no address to forward to; a
    /// system that does not tell who the router is.
    pub(crate) fn prepare(&mut self, setting: bool, listens: bool) -> Result<(), Failure> {
        self.map_port |= setting;
        if !self.map_port || self.routes.is_some() {
            return Ok(());
        }
        let refused = |text: &str, hint: &str| {
            Err(Failure::new(ErrorKind::LocalConfig, text.to_owned(), hint))
        };
        if Proxy::in_use().is_some() {
            return refused(
                "--map-port would speak to the router past the proxy",
                "leave out --map-port or --proxy; to be reached without a port of your own, use --tor",
            );
        }
        if !listens {
            return refused(
                "--map-port needs a port to forward to, and nothing listens here",
                "leave out --map-port, or --tor-only or --dials-only",
            );
        }
        self.routes = Some(Routes::open().map_err(|error| {
            Failure::new(
                ErrorKind::LocalConfig,
                format!("cannot read the routes of this machine: {error}"),
                "--map-port works on Linux with /proc; elsewhere forward the port in the router's settings",
            )
        })?);
        Ok(())
    }

    /// What a role needs to ask; none without the option.
    pub(crate) fn routes(&self) -> Option<Routes> {
        self.routes.clone()
    }
}

/// Tells the operator, forever.
pub(crate) async fn tell(who: &str, mut reports: PortReports) {
    loop {
        show(who, reports.next().await);
    }
}

fn show(who: &str, report: PortReport) {
    eprintln!("{who}: {}", report.text());
    if let Some(hint) = report.hint() {
        eprintln!("hint: {hint}");
    }
}
