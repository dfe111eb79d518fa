//! The sites that the command line names, and their keys.

use std::path::{Path, PathBuf};

use api::Failure;
use jail::StateDir;
use server::site::Site;
use wire::{ErrorKind, OnionName};
use zeroize::Zeroizing;

use crate::OrFail;

/// Most sites of one process.
const MAX_SITES: usize = 64;
/// Longest name, which is also a subdirectory of the state directory.
const MAX_NAME: usize = 64;

/// A directory to serve, its name, and the seed of its onion key.
pub(super) struct NamedSite {
    /// The directory as the person typed it.
    pub(super) given: String,
    /// The name under which its key is kept.
    pub(super) name: String,
    pub(super) site: Site,
    pub(super) seed: Zeroizing<[u8; 32]>,
}

impl NamedSite {
    pub(super) fn onion(&self) -> OnionName {
        net::tor::onion_name(&self.seed)
    }
}

/// Opens all sites. A new site gets a key.
pub(super) fn open(
    dirs: &[String],
    list: bool,
    state: &StateDir,
) -> Result<Vec<NamedSite>, Failure> {
    let wrong = |text: String, hint: &str| Failure::new(ErrorKind::LocalConfig, text, hint);
    if dirs.len() > MAX_SITES {
        return Err(wrong(
            format!("{} sites are too many for one process", dirs.len()),
            "serve up to 64 here, and start another process for the rest",
        ));
    }
    let mut found: Vec<(String, String, Site)> = Vec::new();
    for text in dirs {
        let (name, dir) = split(text);
        let site = Site::open(&dir, list).map_err(|e| {
            wrong(e.to_string(), "choose a directory that exists and that you can read")
        })?;
        let name = name
            .or_else(|| Some(site.root().file_name()?.to_str()?.to_owned()))
            .filter(|name| is_name(name));
        let hint = "name the site: NAME=DIR, with letters, digits, - and _ and . in NAME";
        let name =
            name.ok_or_else(|| wrong(format!("{text} is not usable as a site's name"), hint))?;
        // Folders on a disk that does not tell case apart must stay two.
        if found.iter().any(|(_, other, _)| other.eq_ignore_ascii_case(&name)) {
            let hint = "choose another name for one of them: NAME=DIR";
            return Err(wrong(format!("two sites are called {name}"), hint));
        }
        found.push((dir.display().to_string(), name, site));
    }
    let keys = state.subdir("keys").or_fail()?;
    for (_, _, site) in &found {
        apart(site, &state.join(""), "--state")?;
    }
    let keyed = found.into_iter().map(|(given, name, site)| {
        let seed = keys.subdir(&name).or_fail()?.secret32("onion-key").or_fail()?;
        Ok(NamedSite { given, name, site, seed })
    });
    keyed.collect()
}

/// Refuses to serve a directory that contains the keys or is among them.
pub(super) fn apart(site: &Site, keys: &Path, option: &str) -> Result<(), Failure> {
    let keys = keys.canonicalize().map_err(|e| {
        let text = format!("cannot read {}: {e}", keys.display());
        Failure::new(ErrorKind::LocalStorage, text, format!("use {option} with another directory"))
    })?;
    if keys.starts_with(site.root()) || site.root().starts_with(&keys) {
        let text = format!("{} contains the sites' keys, or is among them", site.root().display());
        let hint = format!("use {option} with a directory outside all sites");
        return Err(Failure::new(ErrorKind::LocalConfig, text, hint));
    }
    Ok(())
}

/// Splits `NAME=DIR`, unless the part before `=` belongs to a path.
fn split(text: &str) -> (Option<String>, PathBuf) {
    match text.split_once('=') {
        Some((name, dir)) if is_name(name) && !Path::new(text).exists() => {
            (Some(name.to_owned()), dir.into())
        }
        _ => (None, text.into()),
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_folders() {
        assert_eq!(split("blog=/srv/a=b"), (Some("blog".into()), "/srv/a=b".into()));
        assert_eq!(split("/srv/a=b"), (None, "/srv/a=b".into()));
        assert_eq!(split("./x"), (None, "./x".into()));
        for bad in ["", ".", "..", ".git", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_site_keeps_its_key_under_its_name() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| dir.path().join(name);
        for name in ["a/blog", "b/blog", "shop"] {
            std::fs::create_dir_all(at(name)).expect("a folder");
        }
        let state = StateDir::open(&at("state")).expect("a state directory");
        let text = |name: &str| at(name).display().to_string();
        let first = open(&[text("a/blog"), text("shop")], false, &state).expect("two sites");
        let names: Vec<OnionName> = first.iter().map(NamedSite::onion).collect();
        assert_ne!(names[0], names[1]);
        // In another order, and the folder moved.
        let again = open(&[text("shop"), text("b/blog")], true, &state).expect("two sites");
        assert_eq!([again[1].onion(), again[0].onion()], names[..]);
        assert!(open(&[text("a/blog"), text("b/blog")], false, &state).is_err(), "one name twice");
        let named = open(&[text("a/blog"), format!("blog2={}", text("b/blog"))], false, &state)
            .expect("two sites");
        assert_eq!(named[0].onion(), names[0]);
        assert!(!names.contains(&named[1].onion()));
        assert!(open(&[text("nowhere")], false, &state).is_err());
        // Never is a key among what is served.
        for folder in ["", "state", "state/keys", "state/keys/shop"] {
            let error =
                open(&[format!("new={}", text(folder))], false, &state).err().expect("a refusal");
            assert!(error.to_string().contains("--state"), "{folder}: {error}");
        }
    }
}
