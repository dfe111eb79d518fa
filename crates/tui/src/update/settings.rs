//! Settings of the profile; the screen's own are among them.

use api::{ListSettings, SetSetting, SettingView};

use crate::ask;
use crate::cells;
use crate::dialog::{Dialog, Item, Pick, Press};
use crate::state::{App, Effect};
use crate::theme::Theme;

/// Asks for the screen's own settings. Without an answer it does without.
pub(super) fn at_start(out: &mut Vec<Effect>) {
    ask::ask_either(out, ListSettings {}, |app, out, answer| {
        for setting in answer.unwrap_or_default() {
            preference(app, out, &setting.key, &setting.value);
        }
    });
}

/// Shows all settings.
pub(super) fn ask(out: &mut Vec<Effect>) {
    ask::ask(out, ListSettings {}, |app, _, settings| {
        app.dialogs.push(Dialog::Pick(Box::new(list(settings))));
    });
}

fn list(settings: Vec<SettingView>) -> Pick {
    let items = settings.into_iter().map(|s| {
        let value = if s.value.is_empty() { "—" } else { &s.value };
        let label = format!("{} = {}", s.key, cells::clip(value, 40));
        Item::new(label, s.help.clone(), Press::Setting(Box::new(s)))
    });
    Pick::new("Settings", "They are kept in config.toml of the profile.", items.collect())
}

/// The values that a setting can have.
pub(super) fn choices(setting: &SettingView) -> Pick {
    let items = setting.choices.iter().map(|value| {
        let mark = if *value == setting.value { "● " } else { "  " };
        let (key, new) = (setting.key.clone(), value.clone());
        let press = Press::step(move |app, out| set(app, out, &key, &new));
        Item::new(format!("{mark}{value}"), "", press)
    });
    Pick::new(&setting.key, &setting.help, items.collect())
}

/// Changes a setting.
pub(super) fn set(app: &mut App, out: &mut Vec<Effect>, key: &str, value: &str) {
    preference(app, out, key, value);
    let request = SetSetting { key: key.to_owned(), value: value.to_owned() };
    let key = key.to_owned();
    ask::ask_either(out, request, move |app, _, answer| match answer {
        Ok(saved) if saved.restart => app.say(format!("{key}: takes effect after a restart")),
        Ok(_) => app.say(format!("{key}: changed")),
        // The screen's own settings count for this time at least.
        Err(_) if matches!(key.as_str(), "theme" | "mouse" | "notify") => {}
        Err(refusal) => app.refused(&refusal),
    });
}

/// Turns one of the screen's own switches.
pub(super) fn switch(app: &mut App, out: &mut Vec<Effect>, key: &str, on: bool) {
    app.say(format!("{key}: {}", if on { "on" } else { "off" }));
    set(app, out, key, if on { "true" } else { "false" });
}

/// A setting that is the screen's own counts immediately.
fn preference(app: &mut App, out: &mut Vec<Effect>, key: &str, value: &str) {
    let on = matches!(value, "true" | "on" | "yes");
    match key {
        "theme" => app.prefs.theme = Theme::parse(value).unwrap_or(app.prefs.theme),
        "notify" => app.prefs.notify = on,
        "mouse" if app.prefs.mouse != on => {
            app.prefs.mouse = on;
            out.push(Effect::Mouse(on));
        }
        _ => {}
    }
}
