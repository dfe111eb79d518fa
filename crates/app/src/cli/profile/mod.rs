//! The commands of a profile.

mod contacts;
mod daemon;
mod files;
mod groups;
mod here;
mod identity;
mod invites;
mod keep;
mod lan;
mod look;
mod messages;
mod recv;
mod send;
pub(crate) mod show;
mod talk;
mod typed;

pub use self::contacts::timer_seconds;
pub(crate) use self::here::{Here, options, with};
pub use self::invites::given_link;
pub use self::typed::{COMMANDS, Typed, parse};

use super::args_profile::ProfileCommand;
use crate::exit::Failure;

/// Does what the command line asks.
///
/// # Errors
/// Whatever the engine refuses; what did not happen in time.
pub async fn run(command: ProfileCommand) -> Result<(), Failure> {
    match command {
        ProfileCommand::Init(on) => keep::init(&on.at, on.args).await,
        ProfileCommand::Invite(on) => invites::invite(&on.at, on.args).await,
        ProfileCommand::Invites(on) => invites::invites(&on.at, on.args.json).await,
        ProfileCommand::Revoke(on) => invites::revoke(&on.at, on.args).await,
        ProfileCommand::Accept(on) => invites::accept(&on.at, on.args).await,
        ProfileCommand::Contacts(on) => contacts::list(&on.at, "contact", on.args.json).await,
        ProfileCommand::Groups(on) => contacts::list(&on.at, "group", on.args.json).await,
        ProfileCommand::Members(on) => contacts::members(&on.at, on.args).await,
        ProfileCommand::Verify(on) => contacts::verify(&on.at, on.args).await,
        ProfileCommand::Identity(command) => identity::run(command).await,
        ProfileCommand::Name(on) => contacts::name(&on.at, on.args).await,
        ProfileCommand::Floor(on) => contacts::floor(&on.at, on.args).await,
        ProfileCommand::Timer(on) => contacts::timer(&on.at, on.args).await,
        ProfileCommand::Leave(on) => contacts::leave(&on.at, on.args).await,
        ProfileCommand::Forget(on) => contacts::forget(&on.at, on.args).await,
        ProfileCommand::Send(on) => send::run(&on.at, on.args).await,
        ProfileCommand::Recv(on) => recv::run(&on.at, on.args).await,
        ProfileCommand::Talk(on) => talk::run(&on.at, on.args.name).await,
        ProfileCommand::History(on) => messages::history(&on.at, on.args).await,
        ProfileCommand::Search(on) => messages::search(&on.at, on.args).await,
        ProfileCommand::Edit(on) => messages::edit(&on.at, on.args).await,
        ProfileCommand::Delete(on) => messages::delete(&on.at, on.args).await,
        ProfileCommand::React(on) => messages::react(&on.at, on.args).await,
        ProfileCommand::Cancel(on) => messages::cancel(&on.at, on.args).await,
        ProfileCommand::Why(on) => messages::why(&on.at, on.args).await,
        ProfileCommand::Group(command) => groups::run(command).await,
        ProfileCommand::Files(on) => files::list(&on.at, on.args.json).await,
        ProfileCommand::Fetch(on) => files::fetch(&on.at, on.args).await,
        ProfileCommand::Refuse(on) => files::refuse(&on.at, on.args).await,
        ProfileCommand::Export(on) => super::export::run(&on.at, on.args).await,
        ProfileCommand::Backup(on) => keep::backup(&on.at, on.args).await,
        ProfileCommand::Restore(on) => keep::restore(&on.at, on.args).await,
        ProfileCommand::Mesh(on) => lan::mesh(&on.at, on.args).await,
        ProfileCommand::Nearby(on) => lan::nearby(&on.at, on.args).await,
        ProfileCommand::Bundle(command) => lan::bundle(command).await,
        ProfileCommand::Config(command) => keep::config(command),
        ProfileCommand::Wipe(on) => keep::wipe(&on.at, on.args).await,
        ProfileCommand::Web(on) => crate::roles::web::run(&on.at, on.args).await,
        ProfileCommand::Daemon(on) => daemon::run(&on.at, on.args).await,
        ProfileCommand::Rpc(on) => super::rpc::run(&on.at, on.args).await,
    }
}
