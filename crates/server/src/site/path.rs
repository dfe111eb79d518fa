//! From an address to a file of the folder, or to nothing.

use std::path::{Path, PathBuf};

/// The decoded parts of an address's path, and whether it ends with a slash. `None` when it can
/// name no file of a site.
pub(super) fn segments(path: &str) -> Option<(Vec<String>, bool)> {
    let rest = path.strip_prefix('/')?;
    let (rest, folder) = match rest.strip_suffix('/') {
        Some(rest) => (rest, true),
        None => (rest, rest.is_empty()),
    };
    if rest.is_empty() {
        // "//" is not "/".
        return (path == "/").then(|| (Vec::new(), true));
    }
    let parts = rest.split('/').map(|raw| decode(raw).filter(|name| is_plain(name)));
    Some((parts.collect::<Option<_>>()?, folder))
}

/// Whether a name may be served: not hidden, no way up, no separator of any system.
pub(super) fn is_plain(name: &str) -> bool {
    let strange = |c: char| c.is_control() || matches!(c, '/' | '\\') || cfg!(windows) && c == ':';
    !name.is_empty() && !name.starts_with('.') && !name.contains(strange)
}

fn decode(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                digit(rest.next()?)? << 4 | digit(rest.next()?)?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A path's part as it stands in an address.
pub(super) fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// What is at `relative` below `root`, all links followed; `None` when that is nothing, hidden, or
/// outside.
pub(super) fn inside(root: &Path, relative: &Path) -> Option<PathBuf> {
    let real = root.join(relative).canonicalize().ok()?;
    let below = real.strip_prefix(root).ok()?;
    let shown = below.components().all(|part| part.as_os_str().to_str().is_some_and(is_plain));
    shown.then_some(real)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ways_up_and_hidden_names_are_nothing() {
        for path in [
            "",
            "x",
            "//",
            "//etc/passwd",
            "/../etc",
            "/a/../../etc",
            "/a/..",
            "/.git/config",
            "/a/.env",
            "/%2e%2e/etc",
            "/%2E%2E%2Fetc",
            "/a%2fb",
            "/a%5cb",
            "/..%5c..",
            "/a%00.html",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "/a//b",
            "/.",
            "/./a",
            "/a%0d%0ab",
        ] {
            assert_eq!(segments(path), None, "{path}");
        }
        assert_eq!(segments("/"), Some((vec![], true)));
        assert_eq!(segments("/a%20b/c"), Some((vec!["a b".into(), "c".into()], false)));
        assert_eq!(segments("/a/b/"), Some((vec!["a".into(), "b".into()], true)));
        assert_eq!(segments("/a..b/c."), Some((vec!["a..b".into(), "c.".into()], false)));
    }

    proptest! {
        #[test]
        fn no_address_leads_out(path in "(/(\\.|%2e|%2f|%5c|\\\\|a|/|%00){0,6}){0,6}") {
            if let Some((parts, _)) = segments(&path) {
                let joined: PathBuf = parts.iter().collect();
                prop_assert!(joined.components().all(|c| matches!(c, std::path::Component::Normal(_))));
                prop_assert!(parts.iter().all(|p| !p.starts_with('.')));
            }
        }

        #[test]
        fn names_survive_an_address(name in "\\PC{1,12}") {
            prop_assert_eq!(decode(&encode(&name)), Some(name));
        }
    }
}
