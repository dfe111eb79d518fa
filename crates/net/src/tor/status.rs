//! The progress of Tor.

/// The status of Tor, in numbers and words for a person. Holds no address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TorStatus {
    /// Bootstrap, per cent.
    pub percent: u8,
    /// Whether streams can be opened now.
    pub ready: bool,
    /// What Tor is doing, in its own words.
    pub text: String,
    /// Whether it has taken so long that Tor seems to be blocked.
    pub blocked: bool,
}

impl TorStatus {
    /// The status in one line.
    #[must_use]
    pub fn line(&self) -> String {
        if self.ready {
            return "connected to Tor".to_owned();
        }
        let what = if self.text.is_empty() { "starting" } else { &self.text };
        if self.blocked {
            format!("Tor: {} %, {what}. Blocked? Bridges may help: --bridge", self.percent)
        } else {
            format!("Tor: {} %, {what}", self.percent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_cent_then_blocked_then_connected() {
        let mut status =
            TorStatus { percent: 45, text: "loading relays".into(), ..TorStatus::default() };
        assert_eq!(status.line(), "Tor: 45 %, loading relays");
        status.blocked = true;
        assert!(status.line().contains("Bridges may help"));
        status.ready = true;
        assert_eq!(status.line(), "connected to Tor");
    }
}
