//! A typed id among the things of a list.

use api::{FileView, GroupInviteView, InviteView, MessageView, Reason, Refusal, Thing};

use crate::message::{file, said};
use crate::terminal::printable;

/// What a person types for the newest one.
pub const LAST: &str = "last";
/// Things that a refusal lists.
const LISTED: usize = 8;

/// Something that a list shows with its short id, and that a person can name by its id.
pub trait Listed {
    /// What kind of thing it is.
    const THING: Thing;

    /// Whether a person who typed this may have meant it.
    fn is_meant_by(&self, typed: &str) -> bool;

    /// Its short id, and what helps to tell it from others.
    fn line(&self) -> String;
}

impl Listed for MessageView {
    const THING: Thing = Thing::Message;

    fn is_meant_by(&self, typed: &str) -> bool {
        self.id.is_meant_by(typed)
    }

    fn line(&self) -> String {
        let said = said(self);
        let said = printable(said.lines().next().unwrap_or_default());
        format!("{}  [{}] {}: {said}", self.id.short(), self.label, self.from)
    }
}

impl Listed for InviteView {
    const THING: Thing = Thing::Invite;

    fn is_meant_by(&self, typed: &str) -> bool {
        self.id.is_meant_by(typed)
    }

    fn line(&self) -> String {
        let name = self.name.as_deref().map(|n| format!("  for {n}")).unwrap_or_default();
        format!("{}  {}{name}", self.id.short(), self.state)
    }
}

impl Listed for GroupInviteView {
    const THING: Thing = Thing::GroupInvite;

    fn is_meant_by(&self, typed: &str) -> bool {
        self.id.is_meant_by(typed)
    }

    fn line(&self) -> String {
        format!("{}  {}  from {}", self.id.short(), self.title, self.from.label)
    }
}

impl Listed for FileView {
    const THING: Thing = Thing::Transfer;

    fn is_meant_by(&self, typed: &str) -> bool {
        self.transfer.is_meant_by(typed)
    }

    fn line(&self) -> String {
        file(self)
    }
}

/// The one that a person meant: by its id, or by [`LAST`] the last one of these.
///
/// # Errors
/// [`Reason::NoSuch`], or [`Reason::Ambiguous`] with what it could be in the text.
pub fn meant<T: Listed>(typed: &str, all: impl IntoIterator<Item = T>) -> Result<T, Refusal> {
    let none = || Refusal::no_such(T::THING);
    let unknown = || Refusal { text: format!("{}: {}", none().text, printable(typed)), ..none() };
    if typed == LAST {
        return all.into_iter().last().ok_or_else(none);
    }
    let mut fits: Vec<T> = all.into_iter().filter(|one| one.is_meant_by(typed)).collect();
    let one = fits.pop().ok_or_else(unknown)?;
    if fits.is_empty() {
        return Ok(one);
    }
    fits.push(one);
    let lines: Vec<String> =
        fits.iter().take(LISTED).map(|one| format!("\n  {}", one.line())).collect();
    let more = if fits.len() > LISTED { "\n  …" } else { "" };
    let text = format!("`{}` could mean several:{}{more}", printable(typed), lines.concat());
    Err(Refusal::wrong(Reason::Ambiguous { candidates: Vec::new() }, text))
}

#[cfg(test)]
mod tests {
    use api::{ConversationId, ConversationRef, GroupInviteId};

    use super::*;

    fn invite(id: [u8; 16], title: &str) -> GroupInviteView {
        let from = ConversationRef { id: ConversationId::new([1; 16]), label: "bob".into() };
        GroupInviteView { id: GroupInviteId::new(id), title: title.into(), from }
    }

    #[test]
    fn an_id_that_could_mean_two_things_is_refused_with_both() {
        let mut other = [0xab; 16];
        other[15] = 1;
        let all = || [invite([0xab; 16], "choir"), invite(other, "band"), invite([7; 16], "club")];
        let title = |typed: &str| meant(typed, all()).map(|one| one.title);
        assert_eq!(title(&GroupInviteId::new(other).to_string()), Ok("band".to_owned()));
        assert_eq!(title(&GroupInviteId::new([7; 16]).short()), Ok("club".to_owned()));
        assert_eq!(title(LAST), Ok("club".to_owned()));
        // The same first bytes, so the same short id.
        let refusal = title(&GroupInviteId::new(other).short()).unwrap_err();
        assert!(matches!(refusal.reason, Reason::Ambiguous { .. }), "{refusal:?}");
        assert!(refusal.text.contains("choir") && refusal.text.contains("band"), "{refusal}");
        assert!(!refusal.text.contains("club"), "{refusal}");
        let refusal = title("ffff\x1b").unwrap_err();
        assert_eq!(refusal.reason, Reason::NoSuch { what: Thing::GroupInvite });
        assert_eq!(refusal.text, "invitation not found: ffff\u{fffd}");
        assert!(title("").is_err());
        assert!(meant::<GroupInviteView>(LAST, []).is_err());
    }
}
