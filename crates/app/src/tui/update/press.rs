//! What choosing an item or pressing a button does.

use super::super::dialog::{Dialog, Press, Prompt, Purpose};
use super::super::state::{App, Effect, Place, Then};
use super::{act, lists, open};
use crate::engine::profile::Command;

/// Does it; the dialog that it comes from is closed, if something else follows or nothing is left
/// to do.
pub fn press(app: &mut App, out: &mut Vec<Effect>, press: Press) {
    match press {
        Press::Dir(path) => {
            out.push(Effect::ReadDir(Some(path)));
            return;
        }
        Press::Copy(text) => {
            out.push(Effect::Copy(text));
            app.say("copied, if your terminal lets programs do that");
            return;
        }
        _ => {}
    }
    app.dialogs.pop();
    match press {
        Press::Close | Press::Dir(_) | Press::Copy(_) => app.leaving = false,
        Press::Act(action) => act::act(app, out, action, None),
        Press::Ask(command, then) => ask(app, out, *command, then),
        Press::Open(place) => {
            app.dialogs.clear();
            open::open(app, out, place);
        }
        Press::Message(place, id) => {
            app.dialogs.clear();
            open::message(app, out, place, id);
        }
        Press::Prompt(prompt) => super::ask(app, *prompt),
        Press::Page(page) => app.dialogs.push(Dialog::Page(*page)),
        Press::File(path) => {
            if let Some(Place::Conversation(to)) = app.current.clone() {
                let path = path.to_string_lossy().into_owned();
                let done = Then::Say("offered; it is sent once they accept".to_owned());
                out.push(Effect::Ask(Command::SendFile { to, path }, done));
            }
        }
        Press::Theme(theme) => {
            lists::preference(app, out, "theme", theme.word());
            let command = Command::Set { key: "theme".to_owned(), value: theme.word().to_owned() };
            out.push(Effect::Ask(command, Then::Set("theme".to_owned())));
        }
        Press::Setting(setting) => {
            if setting.choices.is_empty() {
                let purpose = Purpose::Setting(setting.key.clone());
                super::ask(app, Prompt::new(&setting.key, &setting.help, &setting.value, purpose));
            } else {
                app.dialogs.push(Dialog::Pick(Box::new(lists::choices(&setting))));
            }
        }
        Press::Quit => out.push(Effect::Quit),
    }
}

/// Asks the engine; settings of the screen itself count at once.
fn ask(app: &mut App, out: &mut Vec<Effect>, command: Command, then: Then) {
    if let Command::Set { key, value } = &command {
        let (key, value) = (key.clone(), value.clone());
        lists::preference(app, out, &key, &value);
    }
    if matches!(command, Command::AnswerGroupInvite { .. }) {
        app.refresh("invites");
    }
    out.push(Effect::Ask(command, then));
}
