//! Arrows: which crate of ours may depend on which, and what must never be reachable.

use super::{File, Offence};
use crate::graph::{Graph, Package};

/// Allowed normal dependencies between crates of this workspace. A crate that is not listed is an
/// offence.
const ARROWS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("sphinx", &[]),
    ("streams", &[]),
    ("mix", &["wire", "sphinx"]),
    ("hub", &["wire", "streams"]),
    ("mesh", &["wire", "streams", "hub"]),
    ("e2ee", &["wire", "streams", "sphinx"]),
    ("messenger", &["wire", "streams", "sphinx", "mix", "hub", "e2ee"]),
    ("net", &["wire"]),
    ("server", &["wire", "sphinx", "streams", "mix", "hub", "net", "jail"]),
    ("vault", &["wire", "streams", "hub", "mesh", "messenger"]),
    ("jail", &["wire"]),
    ("routes", &["wire", "streams", "mix", "hub", "mesh", "e2ee", "messenger", "net", "jail"]),
    ("api", &["wire"]),
    ("openpgp", &["wire", "e2ee"]),
    ("text", &["wire", "api"]),
    (
        "engine",
        &[
            "wire",
            "streams",
            "mix",
            "hub",
            "mesh",
            "e2ee",
            "messenger",
            "net",
            "routes",
            "jail",
            "vault",
            "api",
            "openpgp",
        ],
    ),
    ("cli", &["wire", "api", "text", "settings", "openpgp"]),
    ("tui", &["wire", "api", "text"]),
    ("web", &["wire", "api", "text"]),
    (
        "settings",
        &["wire", "streams", "hub", "mix", "e2ee", "net", "jail", "vault", "routes", "api"],
    ),
    (
        "nodes",
        &["wire", "mix", "e2ee", "net", "server", "jail", "vault", "routes", "settings", "api"],
    ),
    (
        "hushwing",
        &[
            "wire",
            "sphinx",
            "streams",
            "mix",
            "hub",
            "e2ee",
            "messenger",
            "net",
            "server",
            "vault",
            "jail",
            "routes",
            "settings",
            "nodes",
            "api",
            "openpgp",
            "engine",
            "text",
            "cli",
            "tui",
            "web",
        ],
    ),
    // Development only: nobody has a normal arrow to them.
    ("tornet", &[]),
    ("lanlab", &[]),
    ("models", &[]),
    ("xtask", &[]),
];

/// What no path of normal dependencies may lead to: that a server cannot decrypt is a fact of its
/// dependency tree.
const UNREACHABLE: &[(&str, &[&str])] = &[
    ("server", &["e2ee", "messenger"]),
    ("tui", &["net", "e2ee", "messenger", "vault"]),
    ("web", &["net", "e2ee", "messenger", "vault"]),
];

/// What no crate in `pure/` may reach: sockets, runtimes, stores, clocks of the system.
const IMPURE: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "rustls",
    "tokio-rustls",
    "async-std",
    "fjall",
    "rusqlite",
    "chrono",
];

/// What no crate in `pure/` may name itself: sources of randomness. (Below a cryptographic crate
/// they are its affair.)
const OWN_RANDOMNESS: &[&str] = &["rand", "getrandom"];

pub(super) fn check(graph: &Graph, files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for package in graph.members() {
        let mut offend = |dep: &str, what: String| {
            offences.push(Offence::new(&package.manifest, line_of(package, dep, files), what));
        };
        let name = &package.name;
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| from == name) else {
            offend(
                "",
                format!(
                    "crate `{name}` has no row in the table of arrows (xtask/src/tidy/arrows.rs)"
                ),
            );
            continue;
        };
        for dep in graph.direct(package).filter(|d| d.member && !allowed.contains(&d.name.as_str()))
        {
            offend(&dep.name, format!("`{name}` must not depend on `{}`", dep.name));
        }
        let pure = package.manifest.starts_with("pure/");
        let barred =
            UNREACHABLE.iter().find(|(from, _)| from == name).map_or(&[][..], |(_, list)| list);
        for dep in graph.reach(package, false) {
            let dep = dep.name.as_str();
            if barred.contains(&dep) || pure && IMPURE.contains(&dep) {
                offend(dep, format!("`{name}` must not reach `{dep}`, not even through others"));
            }
        }
        if pure {
            for dep in graph.direct(package).filter(|d| OWN_RANDOMNESS.contains(&d.name.as_str())) {
                offend(
                    &dep.name,
                    format!(
                        "`{name}` must not depend on `{}`: randomness is a parameter",
                        dep.name
                    ),
                );
            }
        }
    }
    offences
}

/// The manifest's line that names `dep`, else 1.
fn line_of(package: &Package, dep: &str, files: &[File]) -> usize {
    let manifest = files.iter().find(|f| f.path == package.manifest);
    let names = |line: &str| {
        line.strip_prefix(dep)
            .is_some_and(|rest| !dep.is_empty() && rest.starts_with(['.', ' ', '=']))
    };
    manifest.and_then(|m| m.lines().find(|(_, line)| names(line))).map_or(1, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;
    use crate::graph::sample;

    fn says(graph: &Graph, files: &[File]) -> Vec<String> {
        check(graph, files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn allowed_arrows_pass() {
        let graph = sample(&[
            ("wire", "pure/wire/Cargo.toml", &[]),
            ("sphinx", "pure/sphinx/Cargo.toml", &[]),
            ("mix", "pure/mix/Cargo.toml", &["wire", "sphinx", "rand_core"]),
            ("*rand_core", "", &[]),
            ("net", "crates/net/Cargo.toml", &["wire", "tokio", "rand"]),
            ("*tokio", "", &[]),
            ("*rand", "", &[]),
        ]);
        assert_eq!(says(&graph, &[]), [""; 0]);
    }

    #[test]
    fn an_arrow_upward_is_found_at_its_line() {
        let graph = sample(&[
            ("wire", "pure/wire/Cargo.toml", &["mix"]),
            ("mix", "pure/mix/Cargo.toml", &[]),
        ]);
        let files = [file(
            "pure/wire/Cargo.toml",
            "[dependencies]\nmixture = \"1\"\nmix.workspace = true\n",
        )];
        assert_eq!(
            says(&graph, &files),
            ["pure/wire/Cargo.toml:3: `wire` must not depend on `mix`"]
        );
    }

    #[test]
    fn a_server_that_could_decrypt_is_found_through_others() {
        let graph = sample(&[
            ("server", "crates/server/Cargo.toml", &["outside"]),
            ("*outside", "", &["e2ee"]),
            ("e2ee", "pure/e2ee/Cargo.toml", &[]),
        ]);
        assert!(says(&graph, &[])[0].contains("`server` must not reach `e2ee`"));
    }

    #[test]
    fn a_pure_crate_with_a_runtime_or_randomness_of_its_own_is_found() {
        let graph = sample(&[
            ("hub", "pure/hub/Cargo.toml", &["helper", "rand"]),
            ("*helper", "", &["tokio"]),
            ("*tokio", "", &[]),
            ("*rand", "", &[]),
        ]);
        let says = says(&graph, &[]);
        assert_eq!(says.len(), 2, "{says:?}");
        assert!(
            says[0].contains("must not reach `tokio`")
                && says[1].contains("randomness is a parameter")
        );
    }

    #[test]
    fn an_unlisted_crate_is_found() {
        let graph = sample(&[("extra", "crates/extra/Cargo.toml", &[])]);
        assert!(says(&graph, &[])[0].contains("no row in the table of arrows"));
    }
}
