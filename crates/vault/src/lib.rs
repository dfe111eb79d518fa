//! A profile on disk: what this device keeps, and how it is locked away.
//!
//! # In this crate
//! - [`Profile`]: the directory of one profile, locked by one process at a time
//! - [`Vault`]: the encrypted database, an implementation of `messenger::store::Store` within
//!   transactions
//! - [`CarriedTable`]: the boxes that are carried on the LAN, an implementation of
//!   `mesh::carry::CarryStore`
//! - [`VaultKey`], [`Unlock`]: its key, wrapped by a passphrase or a key file; [`locked`]: the
//!   memory that holds it
//! - [`Config`]: the settings that a person edits; [`units`]: durations and sizes in them
//! - [`Vault::backup`], [`Vault::restore`]: one encrypted file with contacts, settings and history
//!
//! # Not in this crate
//! What a record means (`messenger`), what a message says to whom (`e2ee`), when a transaction
//! begins (`app`).
//!
//! # Invariants
//! - No plaintext of the vault reaches the disk: neither the database, its log, its index nor a
//!   temporary file. `config.toml` is the one file that is not encrypted; what stands in it is for
//!   anyone who holds the disk to read.
//! - A wrong passphrase is told before the database is touched; a damaged file is told and left as
//!   it is.
//! - What a transaction committed survives the death of the process; what it did not commit never
//!   shows.
//! - What is erased is overwritten in the database. A device that keeps old blocks (most SSDs) may
//!   still hold the *encrypted* bytes.
//! - A backup holds no MLS state, no stream position, nothing under way and nothing that
//!   disappears.

mod backup;
mod carried;
pub mod config;
mod error;
mod files;
mod header;
mod key;
pub mod locked;
mod profile;
mod random;
mod schema;
mod tables;
pub mod units;
mod vault;

pub use carried::CarriedTable;
pub use config::Config;
pub use error::Error;
pub use key::{Unlock, UnlockKind, VaultKey};
pub use profile::{Profile, ProfileName};
pub use vault::Vault;
