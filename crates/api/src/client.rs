//! The handle that front ends hold, and how they come by one.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::event::Event;
use crate::refusal::Refusal;
use crate::request::{Answer, Call, Flush, GetStatus, Request};
use crate::words::LanMode;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct ProfileOptions);

/// A running profile: in this process, or in the daemon's.
pub struct Client {
    calls: mpsc::Sender<Call>,
    /// The engine, when it runs in this process.
    engine: Option<tokio::task::JoinHandle<()>>,
}

impl Client {
    /// A handle to whatever takes these calls: `engine` is its task, if it ends with this process.
    #[must_use]
    pub fn new(calls: mpsc::Sender<Call>, engine: Option<tokio::task::JoinHandle<()>>) -> Self {
        Client { calls, engine }
    }

    /// Asks for something, and waits for the answer. The events are to be read meanwhile.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn ask<R: Request>(&self, request: R) -> Result<R::Reply, Refusal> {
        let (answer, answered) = Answer::new();
        self.send(request.with_answer(answer)).await?;
        answered.await.unwrap_or_else(|_| Err(Refusal::stopped()))
    }

    /// Hands over a call that has a place for its answer already.
    ///
    /// # Errors
    /// The engine has stopped.
    pub async fn send(&self, call: Call) -> Result<(), Refusal> {
        self.calls.send(call).await.map_err(|_| Refusal::stopped())
    }

    /// Waits until every message of this profile is at the hub; false when `patience` is over
    /// first. A daemon goes on after the front end: then there is nothing to wait for.
    pub async fn flush(&self, patience: Duration) -> bool {
        match self.engine {
            Some(_) => {
                tokio::time::timeout(patience, self.ask(Flush {})).await.is_ok_and(|d| d.is_ok())
            }
            // What was asked before has reached the daemon when a later question is answered.
            None => tokio::time::timeout(patience, self.ask(GetStatus {}))
                .await
                .is_ok_and(|s| s.is_ok()),
        }
    }

    /// Stops an engine in this process, and waits for its end; what is queued stays queued.
    pub async fn close(self) {
        drop(self.calls);
        if let Some(engine) = self.engine {
            let _ = engine.await;
        }
    }
}

/// Which profile, and how it is opened.
#[derive(Clone)]
pub struct ProfileOptions {
    /// Its name on this machine.
    pub profile: String,
    /// How a new vault is locked. An existing one knows how it is.
    pub unlock: Unlock,
    /// Whether to make it when it does not exist.
    pub create: bool,
    /// How the local network is used; none: as the profile's settings say.
    pub lan: Option<LanMode>,
}

/// How a vault is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// By a passphrase, from the environment or the terminal.
    Ask,
    /// By a passphrase that comes as the first line of stdin, from the front end that starts this
    /// process.
    Stdin,
    /// By a key file beside it: anybody who can read this user's files can read the vault.
    KeyFile,
}

/// Something done to a profile that takes its time.
pub type Working<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// A running profile, and what it tells by itself.
pub type Opening<'a> = Working<'a, (Client, mpsc::Receiver<Event>)>;

/// The profiles of this machine: how front ends open them, and what can be done with one while
/// nothing runs on it. Everything here may block on the disk or a terminal.
pub trait Profiles: Send + Sync {
    /// Attaches to the daemon that runs the profile; without one, runs it in this process.
    fn open<'a>(&'a self, options: &'a ProfileOptions) -> Opening<'a>;

    /// Attaches to the daemon that runs the profile, and starts one if there is none: for front
    /// ends that stay a while, of which there may be several.
    fn share<'a>(&'a self, options: &'a ProfileOptions) -> Opening<'a>;

    /// Runs the profile for all front ends, and calls `ready` once they can attach. Ends when the
    /// process is told to stop, by [`Profiles::stop`], and if it is `on_demand` with the last front
    /// end.
    fn serve<'a>(
        &'a self,
        options: &'a ProfileOptions,
        on_demand: bool,
        ready: Box<dyn FnOnce() + Send + 'a>,
    ) -> Working<'a, ()>;

    /// Stops the daemon that runs the profile, and waits until it is gone; false when none runs.
    fn stop<'a>(&'a self, options: &'a ProfileOptions) -> Working<'a, bool>;

    /// Makes a profile, and says where it is.
    ///
    /// # Errors
    /// It exists, or the disk refuses.
    fn create(&self, options: &ProfileOptions) -> Result<PathBuf, Refusal>;

    /// Whether the profile exists.
    ///
    /// # Errors
    /// Not a profile's name.
    fn exists(&self, profile: &str) -> Result<bool, Refusal>;

    /// The profile's directory, whether it exists or not.
    ///
    /// # Errors
    /// Not a profile's name; no place for profiles.
    fn directory(&self, profile: &str) -> Result<PathBuf, Refusal>;

    /// The text of the profile's `config.toml`.
    ///
    /// # Errors
    /// There is no such profile, or the disk refuses.
    fn config(&self, profile: &str) -> Result<String, Refusal>;

    /// The commented `config.toml` of a new profile.
    fn default_config(&self) -> &'static str;

    /// Changes one setting in `config.toml`; comments stay.
    ///
    /// # Errors
    /// An unknown key, a value that it cannot have, no such profile.
    fn set_config(&self, profile: &str, key: &str, value: &str) -> Result<(), Refusal>;

    /// Removes the profile for good.
    ///
    /// # Errors
    /// Another process uses it, or the disk refuses.
    fn wipe(&self, profile: &str) -> Result<(), Refusal>;

    /// Writes contacts, settings and history into one encrypted file.
    ///
    /// # Errors
    /// Those of opening the profile; a file that cannot be written.
    fn backup(&self, options: &ProfileOptions, file: &Path) -> Result<(), Refusal>;

    /// Fills a new profile from a backup.
    ///
    /// # Errors
    /// A profile that is not empty; a wrong passphrase; a file that is no backup.
    fn restore(&self, options: &ProfileOptions, file: &Path) -> Result<(), Refusal>;
}
