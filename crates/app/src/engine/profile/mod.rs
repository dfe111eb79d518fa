//! Drives the messenger of one profile: its vault, its carriers, its files. Front ends hold a
//! [`Client`].

mod carriers;
mod client;
mod commands;
mod demand;
mod files;
pub mod identity;
mod lan;
mod lan_commands;
mod remote;
mod rooms;
mod run;
mod settings;
#[cfg(test)]
mod tests;
mod types;
mod views;

pub use api::code_of;
pub use vault::config::{DEFAULT_CONFIG, LanUse};

pub use self::client::{
    Client, Options, Refusal, Secret, Unlock, backup, config, directory, init, restore, set_config,
    wipe,
};
pub use self::demand::UP;
pub use self::types::*;
