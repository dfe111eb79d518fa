//! All that can happen, as values with a sentence for each.

use std::fmt;

use super::history::{Change, History};
use super::state::Face;
use super::who::Who;

/// One step. Each step of an honest member is one transaction on its disk, or one box that reaches
/// the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A member reads the deciding stream of its epoch.
    Look(Who, Face),
    /// A member that has seen no decision makes a commit and keeps it.
    Make(Who, Change),
    /// The body of its commit reaches the hub.
    PutBody(Who),
    /// It seals and keeps the deciding box.
    Seal(Who),
    /// The deciding box reaches the hub; the answer is on its way.
    PutBox(Who, Face),
    /// The answer arrives.
    Hear(Who),
    /// A member fetches the body that was decided on, and applies it.
    Apply(Who),
    /// A helper's welcome is on its rescue stream.
    SendWelcome(Who, History),
    /// A member loses its place for a reason of its own; true: it also falls back to an old list of
    /// members.
    Lose(Who, bool),
    /// A lost member's request is on its rescue stream.
    Ask(Who),
    /// It makes a newer key, to ask once more.
    Renew(Who),
    /// A lost member takes a welcome from somebody's rescue stream.
    Join(Who, Who, History),
    /// The creator writes its head.
    PostHead(Who),
    /// A member reads the creator's head, and gives up its side of a fork.
    ReadHead(Who),
    /// A member's program ends and starts again.
    Crash(Who),
    /// The hub is honest from now on, and what it had shown on this side stays.
    Heal(Face),
    /// The hub tells a member that an index is taken, without a box to show.
    Claim(Who),
    /// Mallory decides: her commit ends this epoch. True: the body is there.
    Decide(History, bool, Face),
    /// Mallory brings a body that she has held back.
    Deliver(History),
    /// Mallory writes a welcome, into a state that the hub has decided or one of her own.
    Lure(History),
    /// Mallory writes junk where the next decision belongs.
    Junk(History, Face),
}

impl fmt::Display for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Face::One => "side 1",
            Face::Two => "side 2",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Refresh => f.write_str("refreshes its keys"),
            Change::Remove(who) => write!(f, "removes {who:?}"),
            Change::Readd(who, key) => write!(f, "re-adds {who:?} with key {}", key.stamp),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Look(who, face) => write!(f, "{who:?} reads the deciding stream ({face})"),
            Action::Make(who, change) => write!(f, "{who:?} makes a commit that {change}"),
            Action::PutBody(who) => write!(f, "{who:?}'s body is stored"),
            Action::Seal(who) => write!(f, "{who:?} seals the deciding box"),
            Action::PutBox(who, face) => {
                write!(f, "{who:?}'s deciding box reaches the hub ({face})")
            }
            Action::Hear(who) => write!(f, "{who:?} hears the hub's answer"),
            Action::Apply(who) => write!(f, "{who:?} applies what was decided"),
            Action::SendWelcome(who, into) => write!(f, "{who:?} sends the welcome into {into}"),
            Action::Lose(who, false) => write!(f, "{who:?} loses its place"),
            Action::Lose(who, true) => write!(f, "{who:?} is restored from an old backup"),
            Action::Ask(who) => write!(f, "{who:?} asks to be re-added"),
            Action::Renew(who) => write!(f, "{who:?} makes a newer key to ask once more"),
            Action::Join(who, from, into) => {
                write!(f, "{who:?} takes a welcome by {from:?} into {into}")
            }
            Action::PostHead(who) => write!(f, "{who:?} writes its head"),
            Action::ReadHead(who) => write!(f, "{who:?} reads Alice's head and loses its place"),
            Action::Crash(who) => write!(f, "{who:?} crashes"),
            Action::Heal(face) => write!(f, "the hub is honest from now on ({face} stays)"),
            Action::Claim(who) => write!(f, "the hub says `Taken` to {who:?} and shows no box"),
            Action::Decide(made, true, face) => write!(f, "Mallory decides {made} ({face})"),
            Action::Decide(made, false, face) => {
                write!(f, "Mallory decides {made} without a body ({face})")
            }
            Action::Deliver(made) => write!(f, "Mallory brings the body of {made}"),
            Action::Lure(into) => write!(f, "Mallory writes a welcome into {into}"),
            Action::Junk(of, face) => write!(f, "Mallory writes junk to end {of} ({face})"),
        }
    }
}
