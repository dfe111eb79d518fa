//! What is done with contacts and groups alike. `contact …` finds contacts only, `group …` groups
//! only, and the old spellings both.

use api::{
    AllowRoutes, AllowedRoutes, ConversationKind, ConversationView, Failure, Forget, Leave,
    ListMembers, MemberView, Scope, SetOwnName, SetTimer, Standing,
};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use settings::{ListArgs, PatienceArgs, ProfileArgs};
use text::{json, out};
use wire::ErrorKind;

use crate::session::{AFTERWARDS, SharedProfiles, existing, with};

/// Arguments of `members`.
#[derive(Debug, Clone, Args)]
pub struct MembersArgs {
    /// Name or id of the group.
    #[arg(value_name = "NAME")]
    pub conversation: String,
    /// Print JSON, one object per line.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `name`.
#[derive(Debug, Clone, Args)]
pub struct NameArgs {
    /// The current name, or the id.
    #[arg(value_name = "WHO")]
    pub who: String,
    /// Your own name for it.
    #[arg(value_name = "NEW", required_unless_present = "clear")]
    pub new: Option<String>,
    /// Remove your own name, so that the title or nick is shown again.
    #[arg(long, conflicts_with = "new")]
    pub clear: bool,
}

/// Arguments of `routes`.
#[derive(Debug, Clone, Args)]
pub struct RoutesArgs {
    /// Name or id.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The routes to allow; `hidden` is all but a direct connection [default: print what is
    /// allowed].
    #[arg(value_name = "ROUTES", value_parser = routes_parser())]
    pub routes: Option<AllowedRoutes>,
}

/// Arguments of `timer`.
#[derive(Debug, Clone, Args)]
pub struct TimerArgs {
    /// Name or id.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Time such as 10m, 1d or 4w, or `off` to keep messages.
    #[arg(value_name = "TIME|off", value_parser = seconds)]
    pub time: u32,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Arguments of `leave`.
#[derive(Debug, Clone, Args)]
pub struct LeaveArgs {
    /// Name or id.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Arguments of `forget`.
#[derive(Debug, Clone, Args)]
pub struct ForgetArgs {
    /// Name or id.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Confirm: this cannot be undone.
    #[arg(long)]
    pub yes: bool,
}

fn routes_parser() -> impl TypedValueParser<Value = AllowedRoutes> {
    PossibleValuesParser::new(AllowedRoutes::ALL.iter().map(|routes| routes.word()))
        .map(|word| AllowedRoutes::parse(&word).unwrap_or(AllowedRoutes::Hidden))
}

fn seconds(typed: &str) -> Result<u32, String> {
    text::timer_seconds(typed).map_err(|refusal| refusal.text)
}

pub(crate) async fn list(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    kind: ConversationKind,
    args: ListArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        for one in session.conversations().await?.iter().filter(|c| c.kind == kind) {
            if args.json { json(one)? } else { out(&line_of(one))? }
        }
        Ok(())
    })
    .await
}

/// A contact or group in a list.
fn line_of(c: &ConversationView) -> String {
    let mut marks = Vec::new();
    match c.kind {
        ConversationKind::Contact => marks.push(verified(c.verified).to_owned()),
        ConversationKind::Group => marks.push(format!("{} members", c.members)),
    }
    if c.own_name.is_some() && !c.title.is_empty() {
        // What others call it, where that is not what is shown.
        marks.push(format!("title or nick: {}", c.title));
    }
    if let Some(fingerprint) = &c.pgp {
        marks.push(format!("pgp:{fingerprint}"));
    }
    if c.unseen > 0 {
        marks.push(format!("{} new", c.unseen));
    }
    if c.unacknowledged > 0 {
        marks.push(format!("{} in transit", c.unacknowledged));
    }
    if c.timer_s.is_some_and(|s| s > 0) {
        marks.push(format!("messages disappear {}", text::timer(c.timer_s)));
    }
    if c.changing {
        marks.push("change in progress".to_owned());
    }
    match c.standing {
        Standing::KeysChanged => marks.push("keys changed: compare the words".to_owned()),
        Standing::Stopped => marks.push("stopped".to_owned()),
        Standing::Blocked => marks.push("blocked".to_owned()),
        Standing::Normal if !c.open => marks.push("closed".to_owned()),
        Standing::Normal => {}
    }
    format!("{}  {}  {}  ({})", c.label, c.id.short(), c.allowed_routes, marks.join(", "))
}

pub(crate) const fn verified(yes: bool) -> &'static str {
    if yes { "verified" } else { "not verified" }
}

pub(crate) async fn members(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: MembersArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        // A direct chat has members, too.
        let conversation = session.conversation(&args.conversation, Scope::Conversation).await?.id;
        for member in session.ask(ListMembers { conversation }).await? {
            if args.json {
                json(&member)?;
            } else {
                out(&format!("{}  {}{}", member.name, member.id.short(), mark(&member)))?;
            }
        }
        Ok(())
    })
    .await
}

/// Whether a member is this profile, and which contact they are, as far as that is known.
pub(crate) fn mark(member: &MemberView) -> String {
    let contact = member.contact.as_ref().map(|c| &c.label).filter(|label| **label != member.name);
    match (member.you, contact) {
        (true, _) => "  (you)".to_owned(),
        (false, Some(label)) => format!("  ({label}, {})", verified(member.verified)),
        (false, None) => format!("  ({})", verified(member.verified)),
    }
}

pub(crate) async fn name(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    scope: Scope,
    args: NameArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let conversation = session.conversation(&args.who, scope).await?.id;
        session.ask(SetOwnName { conversation, name: args.new }).await?;
        Ok(())
    })
    .await
}

pub(crate) async fn routes(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    scope: Scope,
    args: RoutesArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let conversation = session.conversation(&args.name, scope).await?.id;
        match args.routes {
            Some(routes) => {
                session.ask(AllowRoutes { conversation, routes }).await?;
                session.settled(&[], AFTERWARDS).await
            }
            None => {
                let all = session.conversations().await?;
                let found = all.iter().find(|c| c.id == conversation);
                found.map_or(Ok(()), |c| out(c.allowed_routes.word()))
            }
        }
    })
    .await
}

pub(crate) async fn timer(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    scope: Scope,
    args: TimerArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let conversation = session.conversation(&args.name, scope).await?.id;
        session.ask(SetTimer { conversation, seconds: args.time }).await?;
        session.settled(&[conversation], args.patience.timeout).await
    })
    .await
}

pub(crate) async fn leave(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    scope: Scope,
    args: LeaveArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let conversation = session.conversation(&args.name, scope).await?.id;
        session.ask(Leave { conversation }).await?;
        session.settled(&[], args.patience.timeout).await
    })
    .await
}

pub(crate) async fn forget(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    scope: Scope,
    args: ForgetArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let found = session.conversation(&args.name, scope).await?;
        if !args.yes {
            let text = format!("{} and its history will be deleted for good", found.label);
            return Err(Failure::new(ErrorKind::LocalConfig, text, "add --yes to confirm"));
        }
        session.ask(Forget { conversation: found.id }).await?;
        Ok(())
    })
    .await
}
