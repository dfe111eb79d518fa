//! What front ends look at beside conversations: ways to hubs, and the settings, which they may
//! change.

use e2ee::id::ConversationId;
use messenger::Reach;
use messenger::event::PlaceId;
use vault::Config;

use super::client::Refusal;
use super::run::Engine;
use super::types::{Reply, SettingView};
use super::views;

/// Settings that count only when the profile starts: connections are made by them.
const AT_START: &[&str] = &[
    "route",
    "cover",
    "box_sizes",
    "send_delay",
    "dummies",
    "entry",
    "tor",
    "lan",
    "lan_interfaces",
    "keep",
];

impl Engine {
    /// The route of a conversation that works now.
    pub(super) fn route_of(&self, id: ConversationId) -> Option<String> {
        let place = self.messenger.place_of(id)?;
        match self.reach(place) {
            Reach::Hub => self.carriers.route_up(place).map(|route| route.name().to_owned()),
            Reach::Near => Some("lan".to_owned()),
            Reach::Off => None,
        }
    }

    /// Ways to hubs.
    pub(super) fn networks(&self) -> Result<Reply, Refusal> {
        let all = self.read(|m, store| m.overview(store))?;
        let of = |places: &[PlaceId]| {
            let here = all
                .iter()
                .filter(|c| self.messenger.place_of(c.id).is_some_and(|p| places.contains(&p)));
            let mut names: Vec<String> = here.map(|c| views::name(&self.messenger, c.id)).collect();
            names.sort();
            names
        };
        let networks = self.carriers.networks().map(|(places, mut view)| {
            view.conversations = of(&places);
            view
        });
        Ok(Reply::Networks { networks: networks.collect() })
    }

    /// The settings, with what each means.
    pub(super) fn settings(&self) -> Result<Reply, Refusal> {
        let view = |e: vault::config::Setting| SettingView {
            restart: AT_START.contains(&e.key),
            key: e.key.to_owned(),
            value: e.value,
            help: e.help,
            choices: e.choices.iter().map(|&c| c.to_owned()).collect(),
        };
        let entries = Config::entries(&self.profile.config_path())?;
        Ok(Reply::Settings { settings: entries.into_iter().map(view).collect() })
    }

    /// Changes a setting, in the file and here.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<Reply, Refusal> {
        let lan = self.config.lan;
        self.config = Config::set(&self.profile.config_path(), key, value)?;
        // What the command line said of the LAN holds while it runs.
        self.config.lan = lan;
        match key {
            "name" if !value.is_empty() => self.step(|m, s| m.set_my_name(s, value))?,
            // The messenger knows these.
            "delivery_receipts" | "read_receipts" | "accept_files" | "file_limit" => {
                self.reload()?
            }
            _ => {}
        }
        Ok(Reply::Set { restart: AT_START.contains(&key) })
    }

    /// Takes another name; what the settings say of it would undo that at the next start.
    pub(super) fn set_name(&mut self, name: &str) -> Result<Reply, Refusal> {
        self.step(|m, s| m.set_my_name(s, name))?;
        if self.config.name.is_some() {
            self.config.name = Config::set(&self.profile.config_path(), "name", name)?.name;
        }
        Ok(Reply::Done)
    }
}
