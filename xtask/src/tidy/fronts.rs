//! Front ends speak to the engine only: no path in them begins with a crate that moves or opens
//! messages.

use super::{File, Offence};

/// Folders of the front ends.
const FRONTS: &[&str] = &["crates/app/src/cli", "crates/app/src/tui", "crates/app/src/web"];

/// Crates that only the engine and the roles may name.
const BARRED: &[&str] = &["net", "server", "messenger"];

/// Exceptions: a file, and the crate that it may name.
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(super) fn check(files: &[File]) -> Vec<Offence> {
    check_with(files, EXCEPTIONS)
}

fn check_with(files: &[File], exceptions: &[(&str, &str)]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in files.iter().filter(|f| f.is_rust() && is_front(&f.path)) {
        for (number, line) in file.lines() {
            for name in BARRED {
                if names(line, name) && !exceptions.contains(&(file.path.as_str(), name)) {
                    let what = format!(
                        "a front end must not use `{name}`: only the engine's commands and events"
                    );
                    offences.push(Offence::new(&file.path, number, what));
                }
            }
        }
    }
    offences
}

fn is_front(path: &str) -> bool {
    FRONTS.iter().any(|front| {
        path.strip_prefix(front).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    })
}

/// Whether the line's code holds a path that begins with `name`, such as `use net::Link` or
/// `net::connect()`.
fn names(line: &str, name: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].trim_end();
        let after = &code[at + name.len()..];
        let whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_.\"".contains(c));
        // `std::net::` and `crate::roles::server::` are other things of the same name; `::net::` is
        // the crate.
        let parent = before.strip_suffix("::").map(str::trim_end);
        let rooted = parent.is_none_or(|p| {
            p.is_empty() || p.ends_with("use") || p.ends_with(['{', ',', '(', '<'])
        });
        let used =
            after.starts_with("::") || before.ends_with("use") && after.starts_with([';', ' ']);
        whole && rooted && used
    })
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn paths_into_barred_crates_are_found() {
        let bad = [
            "use net::Link;",
            "pub use server::{Hub, Relay};",
            "use messenger as m;",
            "use server;",
            "use ::net::Link;",
            "    let link = net::connect(address).await?;",
            "fn f(x: Vec<messenger::room::Event>) {}",
            "use {net::Link, std::fmt};",
        ];
        for line in bad {
            let found = check(&[file("crates/app/src/cli/chat.rs", line)]);
            assert_eq!(found.len(), 1, "{line}");
        }
    }

    #[test]
    fn other_things_of_the_same_name_pass() {
        let good = [
            "use std::net::SocketAddr;",
            "use crate::roles::server::up;",
            "#[command(alias = \"server\")]",
            "/// See net::Link.",
            "let server = 1; planet::x(); self.net::<u8>();",
            "use crate::engine::{Command, Event};",
        ];
        for line in good {
            assert_eq!(check(&[file("crates/app/src/tui/view.rs", line)]), [], "{line}");
        }
    }

    #[test]
    fn only_front_ends_are_bound() {
        for path in
            ["crates/app/src/roles/hub.rs", "crates/app/src/engine.rs", "crates/app/src/client.rs"]
        {
            assert_eq!(check(&[file(path, "use net::Link;")]), []);
        }
        assert_eq!(check(&[file("crates/app/src/cli.rs", "use net::Link;")]).len(), 1);
    }

    #[test]
    fn an_exception_is_for_one_file_and_one_crate() {
        let files = [file("crates/app/src/cli/a.rs", "use net::Link;\nuse server::Hub;\n")];
        let left = check_with(
            &files,
            &[("crates/app/src/cli/a.rs", "net"), ("crates/app/src/cli/b.rs", "server")],
        );
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].line, 2);
    }
}
