//! Errors of the crates below as refusals: a reason that front ends act on, a sentence they show.

use api::{Obstacle, Reason, Refusal, Thing, Value};
use wire::ErrorKind;

/// Turns an error into the refusal of a request.
pub(crate) trait Refuse {
    /// The refusal.
    fn refuse(self) -> Refusal;
}

/// Turns a result's error into a refusal.
pub(crate) trait OrRefuse<T> {
    /// The value, or the refusal.
    fn or_refuse(self) -> Result<T, Refusal>;
}

impl<T, E: Refuse> OrRefuse<T> for Result<T, E> {
    fn or_refuse(self) -> Result<T, Refusal> {
        self.map_err(Refuse::refuse)
    }
}

impl Refuse for messenger::Error {
    fn refuse(self) -> Refusal {
        use messenger::Error;
        let reason = match &self {
            Error::NoSuch(what) => Reason::NoSuch { what: thing(what) },
            Error::NoSuchTalker => Reason::NoSuch { what: Thing::Talker },
            Error::TooLong { max, .. } => {
                Reason::TooLarge { limit: u64::try_from(*max).unwrap_or(u64::MAX) }
            }
            Error::OutboxFull => Reason::QueueFull,
            Error::NotOwner => Reason::NotYours,
            Error::LockedOut | Error::Refused(_) => Reason::NotNow,
            Error::Damaged | Error::Store(_) => Reason::Disk,
            Error::E2ee(e2ee::Error::Expired) => Reason::InviteOver,
            _ => Reason::Other,
        };
        Refusal::new(self.kind(), reason, self.to_string())
    }
}

/// What the messenger's word stands for.
fn thing(word: &str) -> Thing {
    match word {
        "conversation" => Thing::Conversation,
        "member" => Thing::Member,
        "invite" => Thing::Invite,
        "invitation" => Thing::GroupInvite,
        "transfer" | "file" => Thing::Transfer,
        _ => Thing::Message,
    }
}

impl Refuse for vault::Error {
    fn refuse(self) -> Refusal {
        use vault::Error;
        let profile = |obstacle| Reason::Profile { obstacle };
        let reason = match &self {
            Error::Missing(_) => profile(Obstacle::Missing),
            Error::Exists(_) | Error::NotEmpty => profile(Obstacle::Exists),
            Error::InUse => profile(Obstacle::InUse),
            Error::WrongPassphrase | Error::WrongKeyFile | Error::LockedBy(_) => {
                profile(Obstacle::WrongKey)
            }
            Error::EmptyPassphrase => profile(Obstacle::NoPassphrase),
            Error::Damaged(_) | Error::Truncated | Error::NotABackup | Error::Newer { .. } => {
                profile(Obstacle::Damaged)
            }
            Error::Config { .. } | Error::UnknownKey { line: Some(_), .. } => {
                profile(Obstacle::Settings)
            }
            Error::UnknownKey { line: None, .. } => Reason::NoSuch { what: Thing::Setting },
            Error::NoHome | Error::Io { .. } => profile(Obstacle::Directory),
            Error::BadName => Reason::BadName,
            Error::Database(_) | Error::Store(_) => Reason::Disk,
            _ => Reason::Other,
        };
        Refusal::new(self.kind(), reason, self.to_string())
    }
}

impl Refuse for jail::Error {
    fn refuse(self) -> Refusal {
        let reason = Reason::Profile { obstacle: Obstacle::Directory };
        Refusal::new(self.kind(), reason, self.to_string())
    }
}

impl Refuse for mesh::Error {
    fn refuse(self) -> Refusal {
        Refusal::new(self.kind(), Reason::Disk, self.to_string())
    }
}

impl Refuse for routes::Error {
    fn refuse(self) -> Refusal {
        Refusal::new(self.kind(), Reason::NoRoute, self.to_string())
    }
}

/// A link that is not one.
pub(crate) fn bad_link(what: Value, error: &e2ee::Error) -> Refusal {
    let name = match what {
        Value::InviteLink => "invite",
        Value::RoomLink => "room link",
        _ => "network link",
    };
    Refusal::new(error.kind(), Reason::BadValue { what }, format!("invalid {name}: {error}"))
}

/// A file or directory on this machine that cannot be used.
pub(crate) fn disk(what: &str, error: &std::io::Error) -> Refusal {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::LocalStorage,
        _ => ErrorKind::LocalConfig,
    };
    Refusal::new(kind, Reason::Disk, format!("{what}: {error}"))
}

/// The local network is switched off.
pub(crate) fn lan_is_off() -> Refusal {
    if net::Proxy::in_use().is_some() {
        return Refusal::wrong(Reason::NotNow, "the local network is off while a proxy is used");
    }
    Refusal::wrong(Reason::LanOff, "this profile does not use the local network")
}

/// Tor is switched off.
pub(crate) fn tor_is_off() -> Refusal {
    Refusal::wrong(Reason::TorOff, "Tor is switched off in this profile")
}
