//! Which talker of an open room a typed name means.

use api::{TalkerId, TalkerView};
use text::printable;

/// Between a nick and the suffix that tells it from others that look like it. No nick holds it.
const SUFFIX_MARK: char = '~';

/// A talker in a list: name, short id, and what is special.
pub(super) fn line_of(person: &TalkerView) -> String {
    let marks = [(person.you, " (you)"), (person.left, " (left)"), (person.muted, " (muted)")];
    let marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect();
    format!("{}  {}{marks}", person.name, person.id.short())
}

/// The one other talker with this name as shown, or with this id. A nick that several show is
/// refused without its suffix: anybody can take any nick.
///
/// # Errors
/// In words: nobody, or more than one.
pub(super) fn talker(people: &[TalkerView], typed: &str) -> Result<TalkerId, String> {
    let others = || people.iter().filter(|p| !p.you);
    let exact: Vec<_> = others().filter(|p| p.name == typed || p.id.is_meant_by(typed)).collect();
    if let [one] = exact.as_slice() {
        return Ok(one.id);
    }
    let nick =
        |p: &&TalkerView| p.name.split_once(SUFFIX_MARK).is_some_and(|(nick, _)| nick == typed);
    let fits: Vec<_> = if exact.is_empty() { others().filter(nick).collect() } else { exact };
    let typed = printable(typed);
    if fits.is_empty() {
        return Err(format!("nobody here is named {typed}; /who lists who talks here"));
    }
    let lines: Vec<String> = fits.iter().map(|p| format!("\n  {}", line_of(p))).collect();
    Err(format!("{typed} could be several; type the whole name or the id:{}", lines.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_several_is_refused() {
        let person = |seed: u8, name: &str, you: bool| TalkerView {
            id: TalkerId::new([seed; 16]),
            name: name.to_owned(),
            you,
            left: false,
            muted: false,
        };
        let people = [
            person(1, "eve~abc", false),
            person(2, "eve~def", false),
            person(3, "bob", false),
            person(4, "me", true),
            person(5, "zoe", false),
            person(6, "zoe", false),
        ];
        let id = |seed: u8| Ok(TalkerId::new([seed; 16]));
        assert_eq!(talker(&people, "bob"), id(3));
        assert_eq!(talker(&people, "eve~def"), id(2));
        assert_eq!(talker(&people, &TalkerId::new([1; 16]).short()), id(1));
        let refused = talker(&people, "eve").unwrap_err();
        assert!(refused.contains("eve~abc") && refused.contains("eve~def"), "{refused}");
        let refused = talker(&people, "zoe").unwrap_err();
        assert!(refused.contains(&TalkerId::new([6; 16]).short()), "{refused}");
        assert!(talker(&people, "me").is_err() && talker(&people, "").is_err());
    }
}
