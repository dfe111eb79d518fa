//! The command line of a profile, JSON-RPC, and the line mode of open rooms.
//!
//! # In this crate
//! - [`Commands`], [`run`], [`HEADINGS`]: every command of a profile, and how the root help groups
//!   them; each module holds a command's arguments beside what it does
//! - `old`: earlier spellings, which still work and say the new one
//! - `session`, `queries`: a profile that is open for one command; what typed names stand for
//! - `rpc`: JSON-RPC for scripts and bots
//! - `line`: an open room in line mode
//! - `daemon`: the command that serves a profile, and [`daemon_command`] to start it
//!
//! # Not in this crate
//! Whatever answers: the engine, behind [`api::Profiles`]. The full screen and the browser.
//! Commands of nodes.
//!
//! # Invariants
//! - A name that a person typed is resolved once, by the engine, where it was typed; from then on
//!   the command knows an id.
//! - Nothing that others chose is printed as a part of a command to be copied, unless a shell reads
//!   it as one plain word.
//! - stdout is data; everything else goes to stderr.

mod commands;
mod contact;
mod conversation;
mod daemon;
mod file;
mod follow;
mod group;
mod history;
mod identity;
mod invite;
mod lan;
pub mod line;
mod message;
mod old;
mod profile;
pub mod qr;
mod queries;
mod recv;
mod rpc;
mod send;
mod session;
mod talk;
#[cfg(test)]
mod tests;

pub use self::commands::{Commands, HEADINGS, run};
pub use self::contact::{ContactCommand, VerifyArgs};
pub use self::conversation::{ForgetArgs, LeaveArgs, MembersArgs, NameArgs, RoutesArgs, TimerArgs};
pub use self::daemon::{DaemonArgs, daemon_command};
pub use self::file::{FetchArgs, FileCommand, TransferArgs};
pub use self::group::{
    GroupArgs, GroupCommand, GroupContactArgs, GroupCreateArgs, GroupInviteArgs, GroupJoinArgs,
    GroupMemberArgs, GroupRenameArgs,
};
pub use self::history::{HistoryArgs, SearchArgs};
pub use self::identity::{
    IdentityCommand, IdentityContactArgs, IdentityForgetArgs, PgpKeyArgs, PgpSignArgs,
    PgpVerifyArgs,
};
pub use self::invite::{AcceptArgs, InviteArgs, InviteCommand, InviteNoun, RevokeArgs, given_link};
pub use self::lan::{BundleCommand, BundleInArgs, BundleOutArgs, LanCommand, MeshArgs, NearbyArgs};
pub use self::message::{EditArgs, ExportArgs, MessageArgs, MessageCommand, ReactArgs};
pub use self::old::OldCommand;
pub use self::profile::{
    ConfigCommand, FileArgs, InitArgs, ProfileCommand, RestoreArgs, SetConfigArgs, ShowConfigArgs,
    StatusArgs, WipeArgs,
};
pub use self::recv::RecvArgs;
pub use self::rpc::{RpcArgs, schema};
pub use self::send::SendArgs;
pub use self::session::options;
pub use self::talk::TalkArgs;
