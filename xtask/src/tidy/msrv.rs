//! The oldest Rust that builds this tree is stated once, is what the lock file needs, and every
//! page that names it says the same.

use super::{File, Offence};
use crate::graph::Graph;

/// What our own code needs, whatever the lock file says: chains of `if let` came with 1.88.
const OWN: Version = (1, 88);

/// Where the number is stated for cargo.
const MANIFEST: &str = "Cargo.toml";

/// Files that must name it: a reader looks for it here, or a build starts from it.
const NAMED_IN: &[&str] = &["README.md", "CONTRIBUTING.md", "packaging/Containerfile"];

/// Files whose numbers are history, or those of others.
const NOT_READ: &[&str] = &["CHANGELOG.md", "THIRD-PARTY.md"];

/// Major and minor number.
type Version = (u32, u32);

pub(super) fn check(graph: &Graph, files: &[File]) -> Vec<Offence> {
    let Some(manifest) = files.iter().find(|f| f.path == MANIFEST) else {
        return vec![Offence::new(MANIFEST, 1, "there is no such file")];
    };
    let Some((line, stated)) = stated(manifest) else {
        return vec![Offence::new(MANIFEST, 1, "no `rust-version = \"MAJOR.MINOR\"`")];
    };
    let mut offences = Vec::new();
    let (needed, by) = needed(graph);
    if stated != needed {
        let what = format!(
            "rust-version is {}, and {by} needs {}: state exactly that",
            text(stated),
            text(needed)
        );
        offences.push(Offence::new(MANIFEST, line, what));
    }
    for package in graph.members() {
        if package.rust_version.as_deref().and_then(version) != Some(stated) {
            let what = "does not take rust-version from the workspace";
            offences.push(Offence::new(&package.manifest, 1, what));
        }
    }
    for file in files.iter().filter(|f| is_read(&f.path)) {
        offences.extend(wrong_names(file, stated));
    }
    for path in NAMED_IN {
        let file = files.iter().find(|f| f.path == *path);
        if !file.is_some_and(|f| f.lines().any(|(_, line)| named(line).contains(&stated))) {
            let what = format!("does not name Rust {}", text(stated));
            offences.push(Offence::new(*path, 1, what));
        }
    }
    offences
}

/// `rust-version = "1.92"`, and its line.
fn stated(manifest: &File) -> Option<(usize, Version)> {
    manifest.lines().find_map(|(number, line)| {
        let value = line.strip_prefix("rust-version")?.trim_start().strip_prefix('=')?;
        Some((number, version(value.trim().trim_matches('"'))?))
    })
}

/// The highest version that any package of the graph asks for, and which package that is.
fn needed(graph: &Graph) -> (Version, String) {
    let others = graph.packages.values().filter(|p| !p.member);
    let asks = others.filter_map(|p| {
        let version = p.rust_version.as_deref().and_then(version)?;
        Some((version, format!("{} {}", p.name, p.version)))
    });
    asks.chain([(OWN, "our own code".to_owned())])
        .max_by_key(|(version, _)| *version)
        .unwrap_or((OWN, String::new()))
}

/// `1.92` or `1.92.0`.
fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.');
    let version = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some(version)
}

fn text((major, minor): Version) -> String {
    format!("{major}.{minor}")
}

/// Pages, containers and workflows: what tells a person or a machine which Rust to take.
fn is_read(path: &str) -> bool {
    let told = path.ends_with(".md") || path.ends_with(".yml") || path.contains("Containerfile");
    told && !NOT_READ.contains(&path)
}

fn wrong_names(file: &File, stated: Version) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (number, line) in file.lines() {
        for other in named(line).into_iter().filter(|v| *v != stated) {
            let what = format!("names Rust {}, but it is {}", text(other), text(stated));
            offences.push(Offence::new(&file.path, number, what));
        }
    }
    offences
}

/// Versions of Rust in a line: numbers like `1.92` after the word Rust or toolchain.
fn named(line: &str) -> Vec<Version> {
    let lower = line.to_lowercase();
    let Some(at) = lower.find("rust").or_else(|| lower.find("toolchain")) else {
        return Vec::new();
    };
    let numbers = lower[at..].split(|c: char| !c.is_ascii_digit() && c != '.');
    numbers
        .map(|word| word.trim_matches('.'))
        .filter(|word| word.strip_prefix("1.").is_some_and(|minor| minor.len() >= 2))
        .filter_map(version)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;
    use crate::graph::sample;

    /// A tree that states `stated`, while one package of its lock file needs 1.92.
    fn says(stated: &str, containerfile: &str) -> Vec<String> {
        let mut graph = sample(&[
            ("wire", "pure/wire/Cargo.toml", &["arti"]),
            ("*arti", "", &[]),
            ("*old", "", &[]),
        ]);
        for (name, version) in [("wire", stated), ("arti", "1.92"), ("old", "1.63.0")] {
            graph.packages.get_mut(name).unwrap().rust_version = Some(version.to_owned());
        }
        let files = [
            file("Cargo.toml", &format!("[workspace.package]\nrust-version = \"{stated}\"\n")),
            file("README.md", &format!("You need a stable Rust toolchain ({stated} or newer).\n")),
            file("CONTRIBUTING.md", &format!("Rust {stated}.\n")),
            file("packaging/Containerfile", containerfile),
            file("CHANGELOG.md", "- Rust 1.70 is enough.\n"),
        ];
        check(&graph, &files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_lock_file_needs_is_stated() {
        assert_eq!(says("1.92", "FROM rust:1.92-slim-bookworm AS build\n"), [""; 0]);
    }

    #[test]
    fn a_version_older_or_newer_than_needed_is_found() {
        for other in ["1.90", "1.95"] {
            let says = says(other, &format!("FROM rust:{other}-slim-bookworm AS build\n"));
            let what = format!(
                "Cargo.toml:2: rust-version is {other}, and arti 1.0.0 needs 1.92: state exactly that"
            );
            assert_eq!(says, [what]);
        }
    }

    #[test]
    fn a_page_or_container_that_names_another_is_found() {
        let says = says("1.92", "# The program.\nFROM rust:1.90-slim-bookworm AS build\n");
        assert_eq!(
            says,
            [
                "packaging/Containerfile:2: names Rust 1.90, but it is 1.92",
                "packaging/Containerfile:1: does not name Rust 1.92"
            ]
        );
    }

    #[test]
    fn a_member_that_states_its_own_is_found() {
        let mut graph = sample(&[("wire", "pure/wire/Cargo.toml", &[])]);
        let files = [file("Cargo.toml", "rust-version = \"1.88\"\n")];
        let own = |graph: &Graph| {
            let offences = check(graph, &files);
            offences.iter().any(|o| o.file == "pure/wire/Cargo.toml")
        };
        assert!(own(&graph));
        graph.packages.get_mut("wire").unwrap().rust_version = Some("1.88".to_owned());
        assert!(!own(&graph));
    }

    #[test]
    fn versions_of_rust_are_told_from_other_numbers() {
        assert_eq!(named("You need a stable Rust toolchain (1.90 or newer)"), [(1, 90)]);
        assert_eq!(named("FROM rust:1.92.1-slim"), [(1, 92)]);
        assert_eq!(named("TLS 1.30 for rustls"), []);
        assert_eq!(named("Rust, version 1.2 of the page, arti 0.47"), []);
        assert_eq!(named("OpenSSL 1.92"), []);
    }

    #[test]
    fn without_a_stated_version_nothing_is_guessed() {
        let graph = sample(&[("wire", "pure/wire/Cargo.toml", &[])]);
        assert!(check(&graph, &[])[0].what.contains("no such file"));
        assert!(check(&graph, &[file("Cargo.toml", "")])[0].what.contains("no `rust-version"));
    }
}
