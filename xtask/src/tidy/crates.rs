//! Every crate says what it is: in the architecture page and at the top of its `lib.rs`.

use super::{File, Offence};
use crate::graph::Graph;

const PAGE: &str = "docs/ARCHITECTURE.md";

/// Lints that every crate in `pure/` denies outside tests.
const DENIED: &[&str] = &[
    "unwrap_used",
    "expect_used",
    "indexing_slicing",
    "panic",
    "as_conversions",
    "arithmetic_side_effects",
];

pub(super) fn check(graph: &Graph, files: &[File]) -> Vec<Offence> {
    let page = files.iter().find(|f| f.path == PAGE).map_or("", |f| f.text.as_str());
    let mut offences = Vec::new();
    for package in graph.members() {
        if !page.contains(&format!("`{}`", package.name)) {
            offences.push(Offence::new(
                PAGE,
                1,
                format!("crate `{}` is not named here", package.name),
            ));
        }
        let lib = package.manifest.replace("Cargo.toml", "src/lib.rs");
        if let Some(lib) = files.iter().find(|f| f.path == lib) {
            offences.extend(check_lib(lib));
        }
    }
    offences
}

fn check_lib(lib: &File) -> Vec<Offence> {
    let doc: Vec<&str> = lib.text.lines().take_while(|line| line.starts_with("//!")).collect();
    let mut offences = Vec::new();
    for heading in ["In this crate", "Not in this crate", "Invariants"] {
        let found = doc
            .iter()
            .any(|line| line.trim_start_matches(['/', '!', '#', ' ']).starts_with(heading));
        if !found {
            offences.push(Offence::new(
                &lib.path,
                1,
                format!("the crate's opening comment lacks \"{heading}\""),
            ));
        }
    }
    if lib.path.starts_with("pure/") {
        let denied = lib
            .text
            .split_once("#![deny(")
            .and_then(|(_, rest)| rest.split_once(")]"))
            .map_or("", |(d, _)| d);
        for lint in DENIED.iter().filter(|lint| !denied.contains(&format!("clippy::{lint}"))) {
            offences.push(Offence::new(&lib.path, 1, format!("`clippy::{lint}` is not denied")));
        }
    }
    offences
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;
    use crate::graph::sample;

    const GOOD: &str = "//! Bytes.\n//!\n//! # In this crate\n//! x\n//! # Not in this crate\n//! y\n//! # Invariants\n\n\
        #![deny(\n clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing,\n clippy::panic, \
        clippy::as_conversions, clippy::arithmetic_side_effects\n)]\n";

    fn says(page: &str, lib: &str) -> Vec<String> {
        let graph = sample(&[("wire", "pure/wire/Cargo.toml", &[])]);
        let files = [file(PAGE, page), file("pure/wire/src/lib.rs", lib)];
        check(&graph, &files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crate_that_says_what_it_is_passes() {
        assert_eq!(says("The crate `wire` is bytes.", GOOD), [""; 0]);
    }

    #[test]
    fn a_crate_missing_from_the_page_is_found() {
        assert_eq!(
            says("The wire crate.", GOOD),
            ["docs/ARCHITECTURE.md:1: crate `wire` is not named here"]
        );
    }

    #[test]
    fn a_missing_heading_is_found() {
        let says = says("`wire`", &GOOD.replace("# In this crate", "# Contents"));
        assert_eq!(
            says,
            ["pure/wire/src/lib.rs:1: the crate's opening comment lacks \"In this crate\""]
        );
        // "Not in this crate" does not stand for "In this crate", nor does a heading below the
        // opening comment.
        assert_eq!(
            super::check_lib(&file("crates/x/src/lib.rs", "mod a;\n//! In this crate\n")).len(),
            3
        );
    }

    #[test]
    fn a_lint_that_is_not_denied_is_found() {
        let says = says("`wire`", &GOOD.replace("clippy::panic, ", ""));
        assert_eq!(says, ["pure/wire/src/lib.rs:1: `clippy::panic` is not denied"]);
    }
}
