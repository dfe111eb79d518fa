//! What to do about a refusal, in the command line's words.

use api::{Failure, Obstacle, Reason, Refusal, Thing, Value};
use wire::ErrorKind;

/// Longest text message, bytes: what is over it can be sent as a file.
const TEXT_LIMIT: u64 = 64 * 1024;
/// A limit below this counts things, not bytes.
const COUNTS: u64 = 1_000;

/// What to do about a refusal: one sentence that may name commands, without a full stop.
#[must_use]
pub fn hint(refusal: &Refusal) -> String {
    let words = match &refusal.reason {
        Reason::NoSuch { what } => no_such(*what),
        Reason::Ambiguous { .. } => "type the id of the one that you mean",
        Reason::Renamed { .. } => "type the name as it is now, or the id",
        Reason::BadName => "choose a short name of visible characters that is not in use",
        Reason::BadValue { what } => bad_value(*what),
        Reason::TooLarge { limit } => too_large(*limit),
        Reason::QueueFull => "wait until some of them have been sent",
        Reason::NoNetwork => {
            "give a link with --network, or accept somebody's invite first; `hushwing up` starts your own network"
        }
        Reason::NoRoute => {
            "`hushwing contact routes` and `hushwing group routes` allow other routes; the settings `floor`, `tor` and `lan` say which there are"
        }
        Reason::LanOff => "switch it on: --lan on, or `hushwing profile config set lan on`",
        Reason::TorOff => {
            "switch it on with `hushwing profile config set tor arti`, and start the profile again"
        }
        Reason::NotNow => "nothing was changed",
        Reason::NotYours => "ask the owner of the room, or the creator of the group",
        Reason::InviteOver => "ask for a new invite",
        Reason::NoAnswer => {
            "they may have said no, or be gone; `hushwing lan nearby` shows who is there"
        }
        Reason::Disk => "check that the file or directory is yours, and that the disk has room",
        Reason::Profile { obstacle } => profile(*obstacle),
        Reason::OtherVersion { theirs, ours } if theirs < ours => {
            "end the old daemon, as with the `hushwing profile daemon --stop` of its version, and try again"
        }
        Reason::OtherVersion { .. } => "install the newer version of this program",
        Reason::OtherProxy => {
            "stop it with `hushwing profile daemon --stop`, or leave the proxy out"
        }
        Reason::Stopped => "start the program again",
        Reason::NotBuilt => "install or build hushwing with all its features",
        _ => by_kind(refusal.kind),
    };
    words.to_owned()
}

const fn no_such(what: Thing) -> &'static str {
    match what {
        Thing::Conversation => {
            "`hushwing contact list` and `hushwing group list` show what there is"
        }
        Thing::Member => "`hushwing group members NAME` lists them",
        Thing::Message => "`hushwing history NAME` shows the ids",
        Thing::Invite => "`hushwing invite list` shows them",
        Thing::GroupInvite => "`hushwing group invites` lists them",
        Thing::Transfer => "`hushwing file list` shows them",
        Thing::Room => "`hushwing chat` lists the rooms that you are in",
        Thing::Talker => "/who lists who talks here",
        Thing::Knock | Thing::Person => "`hushwing lan nearby` shows who is there",
        Thing::Setting => "`hushwing profile config show` lists the settings",
    }
}

const fn bad_value(what: Value) -> &'static str {
    match what {
        Value::InviteLink => {
            "an invite starts with hushwing:invite#; copy all of it, and quote it because the shell treats # as a comment"
        }
        Value::RoomLink => {
            "a room link starts with hushwing:room#; copy all of it, and quote it because the shell treats # as a comment"
        }
        Value::NetworkLink => {
            "a room link or an invite names a network; `hushwing up` prints a room link"
        }
        Value::Route => {
            "routes are onion, tor, tor+onion and direct; a conversation may use anywhere, hidden, onion, tor or lan"
        }
        Value::Path => "name a file or directory that you can use",
        Value::Key => "keys are 64 hexadecimal digits, from `hushwing lan nearby --json`",
        Value::OpenPgp => {
            "ask for it again, as `gpg --armor --export FINGERPRINT`, `gpg --clearsign` or `hushwing identity` write it"
        }
        Value::Setting => "`hushwing profile config show` says what each setting takes",
    }
}

const fn too_large(limit: u64) -> &'static str {
    match limit {
        0..COUNTS => "leave or remove one first",
        COUNTS..=TEXT_LIMIT => "send it as a file: hushwing send NAME --file PATH",
        _ => "raise it with `hushwing profile config set file_limit SIZE`",
    }
}

const fn profile(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Missing => "check the name, or create it with `hushwing profile init`",
        Obstacle::Exists => "choose another name with --profile, or move the old one away",
        Obstacle::InUse => {
            "close the other window, or choose another profile with --profile; `hushwing profile daemon` lets several share one"
        }
        Obstacle::WrongKey => {
            "check Caps Lock and the keyboard layout, or put back the vault.key that was made with this profile; nobody can reset a passphrase"
        }
        Obstacle::NoPassphrase => {
            "run it on a terminal, set HUSHWING_PASSPHRASE, or create the profile with --no-passphrase"
        }
        Obstacle::Settings => "the comments in config.toml say what each setting takes",
        Obstacle::Damaged => {
            "restore a backup into a new profile; the damaged file is left as it is"
        }
        Obstacle::Directory => {
            "profiles are called for example `work` or `anna-2`; HUSHWING_HOME names their directory, which must be yours and on a local disk"
        }
    }
}

const fn by_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::LocalConfig => "nothing was changed",
        ErrorKind::LocalStorage => "check that the disk is neither full nor failing",
        ErrorKind::Network => "`hushwing profile status` shows how the connections stand",
        ErrorKind::RelayMisbehaved | ErrorKind::HubMisbehaved | ErrorKind::PeerMisbehaved => {
            "do not trust it; ask for it again by another way"
        }
        ErrorKind::Unsupported => "install the newer version of this program",
        _ => "report this bug",
    }
}

/// A refusal as the end of a command: with what a name could mean, and with its hint.
#[must_use]
#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
pub fn failure(refusal: Refusal) -> Failure {
    let mut text = refusal.text.clone();
    if let Reason::Ambiguous { candidates } | Reason::Renamed { candidates } = &refusal.reason {
        for candidate in candidates {
            text.push_str(&format!("\n  {}  {}", candidate.short, candidate.label));
        }
    }
    Failure::new(refusal.kind, text, hint(&refusal))
}

/// A reply, or a refusal as the end of a command.
pub trait OrFail<T> {
    /// See [`failure`].
    ///
    /// # Errors
    /// The refusal with its hint.
    fn or_fail(self) -> Result<T, Failure>;
}

impl<T> OrFail<T> for Result<T, Refusal> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(failure)
    }
}

#[cfg(test)]
mod tests {
    use api::{Candidate, ConversationId, Target};

    use super::*;

    #[test]
    fn an_ambiguous_name_ends_with_what_it_could_mean() {
        let candidate = |seed: u8, label: &str| {
            let id = ConversationId::new([seed; 16]);
            Candidate { target: Target::Conversation(id), label: label.into(), short: id.short() }
        };
        let candidates = vec![candidate(1, "family"), candidate(2, "fаmily")];
        let refusal =
            Refusal::wrong(Reason::Ambiguous { candidates }, "`family` could mean two things");
        let [one, two] = [1, 2].map(|seed| ConversationId::new([seed; 16]).short());
        assert_eq!(
            failure(refusal).to_string(),
            format!(
                "error: `family` could mean two things\n  {one}  family\n  {two}  fаmily\nhint: type the id of the one that you mean"
            )
        );
    }

    #[test]
    fn what_is_too_large_says_what_to_do_instead() {
        let of = |limit| hint(&Refusal::wrong(Reason::TooLarge { limit }, "x"));
        assert!(of(32).contains("leave"), "{}", of(32));
        assert!(of(TEXT_LIMIT).contains("--file"), "{}", of(TEXT_LIMIT));
        assert!(of(1 << 30).contains("file_limit"), "{}", of(1 << 30));
    }

    #[test]
    fn a_mistake_of_the_program_is_to_be_reported() {
        assert_eq!(hint(&Refusal::bug("x")), "report this bug");
        assert_eq!(hint(&Refusal::wrong(Reason::Other, "x")), "nothing was changed");
    }
}
