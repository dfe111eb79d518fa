//! What choosing an item or pressing a button does.

use super::{act, dialog, files, open, settings};
use crate::dialog::{Dialog, Press, Prompt, Purpose};
use crate::state::{App, Effect};

/// Does it; the dialog that it comes from is closed, if something else follows or nothing is left
/// to do.
pub(super) fn press(app: &mut App, out: &mut Vec<Effect>, press: Press) {
    match press {
        Press::Dir(to, path) => return files::pick(out, to, Some(path)),
        Press::Copy(text) => {
            out.push(Effect::Copy(text));
            return app.say("copied, if your terminal allows it");
        }
        _ => {}
    }
    app.dialogs.pop();
    match press {
        Press::Close | Press::Dir(..) | Press::Copy(_) => app.leaving = false,
        Press::Act(action) => act::act(app, out, action, None),
        Press::Do(step) => step.take(app, out),
        Press::Open(place) => {
            app.dialogs.clear();
            open::open(app, out, place);
        }
        Press::Message(place, id) => {
            app.dialogs.clear();
            open::message(app, out, place, id);
        }
        Press::Prompt(prompt) => dialog::prompt(app, *prompt),
        Press::Page(page) => app.dialogs.push(Dialog::Page(*page)),
        Press::File(to, path) => files::send(out, to, path),
        Press::Theme(theme) => settings::set(app, out, "theme", theme.word()),
        Press::Setting(setting) => {
            if setting.choices.is_empty() {
                let purpose = Purpose::Setting(setting.key.clone());
                let prompt = Prompt::new(&setting.key, &setting.help, &setting.value, purpose);
                dialog::prompt(app, prompt);
            } else {
                app.dialogs.push(Dialog::Pick(Box::new(settings::choices(&setting))));
            }
        }
        Press::Quit => out.push(Effect::Quit),
    }
}
