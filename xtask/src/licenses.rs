//! The list of third-party licences.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::graph::{Graph, Package};
use crate::run;

/// Writes THIRD-PARTY.md.
pub(crate) fn main() -> Result<(), String> {
    let text = page(&Graph::load()?)?;
    std::fs::write(run::root().join("THIRD-PARTY.md"), &text)
        .map_err(|e| format!("THIRD-PARTY.md: {e}"))?;
    println!(
        "THIRD-PARTY.md: {} packages",
        text.lines().filter(|l| l.starts_with("| ")).count() - 2
    );
    Ok(())
}

fn page(graph: &Graph) -> Result<String, String> {
    let app = graph.members().find(|p| p.name == "hushwing").ok_or("there is no crate hushwing")?;
    let shipped: BTreeSet<_> =
        graph.reach(app, true).into_iter().filter(|p| !p.member).map(key).collect();
    let all: BTreeSet<_> = graph.packages.values().filter(|p| !p.member).map(key).collect();
    let mut text = String::from(
        "# Third-party packages\n\nMade by `cargo xtask licenses` from the lock file.\n\
         The licence texts come with each package's source.\n\n## In the program, or used to build it\n\n",
    );
    table(&mut text, shipped.iter());
    text.push_str("\n## Development and tests, and other platforms\n\n");
    table(&mut text, all.difference(&shipped));
    Ok(text)
}

type Key<'a> = (&'a str, &'a str, &'a str);

fn key(package: &Package) -> Key<'_> {
    (&package.name, &package.version, package.license.as_deref().unwrap_or("see its licence file"))
}

fn table<'a>(text: &mut String, rows: impl Iterator<Item = &'a Key<'a>>) {
    text.push_str("| package | version | licence |\n|---|---|---|\n");
    for (name, version, license) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {name} | {version} | {license} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample;

    #[test]
    fn what_ships_stands_apart_from_what_tests_need() {
        let graph = sample(&[
            ("hushwing", "crates/app/Cargo.toml", &["wire", "tokio"]),
            ("wire", "pure/wire/Cargo.toml", &["minicbor"]),
            ("*tokio", "", &[]),
            ("*minicbor", "", &[]),
            ("*proptest", "", &[]),
        ]);
        let page = page(&graph).unwrap();
        let (shipped, rest) = page.split_once("## Development").unwrap();
        assert!(shipped.contains("| minicbor | 1.0.0 | MIT |") && shipped.contains("| tokio |"));
        assert!(rest.contains("| proptest |") && !rest.contains("| tokio |"));
        assert!(!page.contains("| wire |"));
    }

    #[test]
    fn without_the_program_there_is_no_page() {
        assert!(page(&sample(&[("wire", "pure/wire/Cargo.toml", &[])])).is_err());
    }
}
