//! The link to the entry relay, as the shell reports it.

use wire::{ClientToken, NodeId, Timestamp};

use super::{OnionClient, RequestHandle};

impl OnionClient {
    /// Sets the token under which the shell attaches at the entry.
    pub fn set_token(&mut self, token: ClientToken) {
        self.token = token;
    }

    /// The entry has accepted the token: packets may leave. Requests whose answers would go to an
    /// earlier token are repeated.
    pub fn link_up(&mut self) {
        self.up = true;
        let token = self.token;
        let lost: Vec<RequestHandle> = self
            .requests
            .iter()
            .filter(|(_, f)| f.is_in_flight() && f.ends_elsewhere(&token))
            .map(|(h, _)| *h)
            .collect();
        for handle in lost {
            self.requeue(handle);
        }
    }

    /// The link is gone: packets wait.
    pub fn link_down(&mut self) {
        self.up = false;
        self.silence.forget();
        self.surbs.values_mut().for_each(|surb| surb.sent = None);
    }

    /// Whether a hub has said nothing for a while although it was asked (`PATH-010`): messages do
    /// not travel now, whatever the link to the entry says.
    #[must_use]
    pub fn is_silent(&self, now: Timestamp, hub: &NodeId) -> bool {
        self.silence.of(now, hub)
    }
}
