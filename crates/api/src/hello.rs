//! The daemon's protocol: what passes its socket, and how two versions find out that they differ.
//!
//! One JSON value a line. Each side begins with a [`Hello`]; the first line never changes its
//! shape, so that any two versions can read it. After that, [`ToDaemon`] one way and [`FromDaemon`]
//! the other. A daemon that a front end starts says on its stdout, in one [`Startup`] line, that it
//! is ready or why it is not.
//!
//! ```text
//! front end                 daemon
//!    Hello  ───────────────►
//!           ◄───────────────  Hello          (or closes: another version)
//!    Ask(1) ───────────────►
//!           ◄───────────────  Event …
//!           ◄───────────────  Reply(1)
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::Event;
use crate::refusal::{Reason, Refusal};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum ToDaemon {
        Ask,
        Stop,
    }
);
wire::kind_debug!(
    enum FromDaemon {
        Reply,
        Refused,
        Event,
    }
);

/// The version of this protocol: of the requests, replies and events as well. It grows with every
/// change that an older side would misread.
pub const PROTOCOL: u32 = 2;

/// The first line of either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol that this side speaks.
    pub hushwing_protocol: u32,
    /// Where the proxy is that everything of this side goes through, IP address and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

impl Hello {
    /// This program's, which goes through this proxy.
    #[must_use]
    pub const fn ours(proxy: Option<String>) -> Self {
        Hello { hushwing_protocol: PROTOCOL, proxy }
    }

    /// Whether the daemon that said this goes through the proxy that its front end wants; without
    /// one, any will do.
    ///
    /// # Errors
    /// [`Reason::OtherProxy`].
    pub fn check_proxy(&self, wanted: Option<&str>) -> Result<(), Refusal> {
        if wanted.is_none() || wanted == self.proxy.as_deref() {
            return Ok(());
        }
        let text = "the daemon of this profile does not go through this proxy";
        Err(Refusal::new(wire::ErrorKind::LocalConfig, Reason::OtherProxy, text))
    }

    /// Whether the other side can be spoken to.
    ///
    /// # Errors
    /// [`Reason::OtherVersion`].
    pub fn check(&self) -> Result<(), Refusal> {
        let (theirs, ours) = (self.hushwing_protocol, PROTOCOL);
        if theirs == ours {
            return Ok(());
        }
        let text =
            format!("the daemon of this profile speaks version {theirs}, this program {ours}");
        Err(Refusal::new(wire::ErrorKind::Unsupported, Reason::OtherVersion { theirs, ours }, text))
    }
}

/// To the daemon.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToDaemon {
    /// A request.
    Ask {
        /// A number for the answer, of the front end's choice.
        id: u64,
        /// The request's name.
        method: String,
        /// Its fields.
        params: Value,
    },
    /// The daemon is to end. The socket closes when it is gone.
    Stop,
}

/// From the daemon.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromDaemon {
    /// The answer to a request.
    Reply {
        /// The request's number.
        id: u64,
        /// What it is answered.
        result: Value,
    },
    /// A refusal of a request.
    Refused {
        /// The request's number.
        id: u64,
        /// Why.
        refusal: Refusal,
    },
    /// Something happened.
    Event(Box<Event>),
}

/// What a daemon that a front end starts says on its stdout, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Startup {
    /// Front ends can attach.
    Ready,
    /// It ends now.
    Refused(Refusal),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_told_from_the_first_line() {
        let theirs: Hello =
            serde_json::from_str(r#"{"hushwing_protocol":99,"something":"new"}"#).unwrap();
        let refusal = theirs.check().unwrap_err();
        assert_eq!(refusal.reason, Reason::OtherVersion { theirs: 99, ours: PROTOCOL });
        assert_eq!(Hello::ours(None).check(), Ok(()));
    }

    #[test]
    fn a_daemon_that_goes_around_the_proxy_is_told_from_the_first_line() {
        let at = || Some("127.0.0.1:1080".to_owned());
        assert_eq!(Hello::ours(at()).check_proxy(at().as_deref()), Ok(()));
        assert_eq!(Hello::ours(at()).check_proxy(None), Ok(()));
        for daemon in [Hello::ours(None), Hello::ours(Some("127.0.0.1:9".to_owned()))] {
            let refusal = daemon.check_proxy(at().as_deref()).unwrap_err();
            assert_eq!(refusal.reason, Reason::OtherProxy);
        }
    }
}
