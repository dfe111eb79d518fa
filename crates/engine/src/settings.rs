//! The profile's settings, which front ends may change.

use api::{Done, Reason, Refusal, SetSetting, SettingSaved, SettingView, Value};
use net::{BadProxy, Proxy};
use vault::Config;

use crate::core::Core;
use crate::refuse::OrRefuse;

/// Settings that count only when the profile starts: connections are made by them.
const AT_START: &[&str] = &[
    "route",
    "cover",
    "box_sizes",
    "send_delay",
    "dummies",
    "entry",
    "tor",
    "proxy",
    "lan",
    "lan_interfaces",
    "keep",
];

/// The settings, with what each means.
pub(crate) fn list(core: &Core) -> Result<Vec<SettingView>, Refusal> {
    let view = |e: vault::config::Setting| SettingView {
        restart: AT_START.contains(&e.key),
        key: e.key.to_owned(),
        value: e.value,
        help: e.help,
        choices: e.choices.iter().map(|&c| c.to_owned()).collect(),
    };
    let entries = Config::entries(&core.profile.config_path()).or_refuse()?;
    Ok(entries.into_iter().map(view).collect())
}

/// Changes a setting, in the file and in the running profile.
pub(crate) fn set(core: &mut Core, request: &SetSetting) -> Result<SettingSaved, Refusal> {
    let (key, value) = (request.key.as_str(), request.value.as_str());
    check(key, value)?;
    let lan = core.config.lan;
    core.config = Config::set(&core.profile.config_path(), key, value).or_refuse()?;
    // What the command line said of the local network holds while it runs.
    core.config.lan = lan;
    match key {
        "name" if !value.is_empty() => core.step(|m, s| m.set_my_name(s, value))?,
        // The messenger knows these.
        "delivery_receipts" | "read_receipts" | "accept_files" | "file_limit" => core.reload()?,
        _ => {}
    }
    Ok(SettingSaved { restart: AT_START.contains(&key) })
}

/// Whether a value can be used, as far as its file does not know.
pub(crate) fn check(key: &str, value: &str) -> Result<(), Refusal> {
    if key == "proxy" && value.starts_with("socks5") {
        parse_proxy(value).map(drop)
    } else {
        Ok(())
    }
}

/// A proxy, as a person writes it.
pub(crate) fn parse_proxy(url: &str) -> Result<Proxy, Refusal> {
    let wrong = |error: BadProxy| {
        let reason = Reason::BadValue { what: Value::Setting };
        Refusal::wrong(reason, format!("invalid proxy: {error}"))
    };
    url.parse().map_err(wrong)
}

/// Takes another name. What the settings say of it would undo that at the next start.
pub(crate) fn set_name(core: &mut Core, name: &str) -> Result<Done, Refusal> {
    core.step(|m, s| m.set_my_name(s, name))?;
    if core.config.name.is_some() {
        core.config.name = Config::set(&core.profile.config_path(), "name", name).or_refuse()?.name;
    }
    Ok(Done {})
}
