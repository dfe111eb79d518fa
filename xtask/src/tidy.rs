//! The rules of this source tree that no compiler checks.
//!
//! Each check is a function over texts and returns offences, so that each has tests that make it
//! fail.

mod arrows;
mod circles;
mod crates;
mod msrv;
mod named;
mod prose;
mod rules;
mod sizes;
mod width;
mod words;

use std::fmt;

use crate::graph::Graph;
use crate::run;

/// One text file of the tree.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offence {
    file: String,
    line: usize,
    what: String,
}

impl Offence {
    fn new(file: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, what: what.into() }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Runs all checks over the tree and prints the offences.
pub(crate) fn main() -> Result<(), String> {
    let files = tree()?;
    let graph = Graph::load()?;
    let offences = check(&graph, &files);
    for offence in &offences {
        println!("{offence}");
    }
    if offences.is_empty() {
        println!("tidy: {} files, nothing to say", files.len());
        Ok(())
    } else {
        Err(format!("tidy: {} offences", offences.len()))
    }
}

fn check(graph: &Graph, files: &[File]) -> Vec<Offence> {
    [
        arrows::check(graph, files),
        circles::check(files),
        crates::check(graph, files),
        msrv::check(graph, files),
        named::check(files),
        prose::check(files),
        rules::check(files),
        sizes::check(files),
        width::check(files),
        words::check(files),
    ]
    .concat()
}

/// All text files that git tracks or would track. Files that are not UTF-8 (seeds of the fuzzer)
/// are left out.
fn tree() -> Result<Vec<File>, String> {
    let mut git = std::process::Command::new("git");
    git.current_dir(run::root()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let names = run::output(&mut git)?;
    let mut paths: Vec<&str> = names.split('\0').filter(|p| !p.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        // A file that was deleted but is still tracked is no concern of these checks.
        let Ok(bytes) = std::fs::read(run::root().join(path)) else { continue };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    Ok(files)
}

/// Files that hold nothing but tests.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/benches/")
}

/// `#[test]`, `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let cfg_test = || {
            attr.parse_args::<syn::Meta>().is_ok_and(|meta| match meta {
                syn::Meta::Path(path) => path.is_ident("test"),
                syn::Meta::List(list) if list.path.is_ident("all") => {
                    let mut tokens = list.tokens.into_iter();
                    tokens.any(|token| token.to_string() == "test")
                }
                _ => false,
            })
        };
        attr.path().is_ident("test") || attr.path().is_ident("cfg") && cfg_test()
    })
}

#[cfg(test)]
fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offence_is_one_line_with_its_place() {
        assert_eq!(Offence::new("a/b.rs", 7, "too long").to_string(), "a/b.rs:7: too long");
    }

    #[test]
    fn the_tree_holds_this_file_and_no_build_output() {
        let files = tree().unwrap();
        assert!(files.iter().any(|f| f.path == "xtask/src/tidy.rs"));
        assert!(files.iter().all(|f| !f.path.starts_with("target/")));
    }

    /// Every check takes part: one bad tree, one offence of each kind.
    #[test]
    fn all_checks_are_called() {
        let graph = crate::graph::sample(&[
            ("wire", "pure/wire/Cargo.toml", &["tokio"]),
            ("*tokio", "", &[]),
        ]);
        let files = [
            file("pure/wire/src/lib.rs", "pub fn f() {}\n"),
            file("docs/spec/wire.md", "**WIRE-001** Rule.\n"),
            file("pure/wire/src/long.rs", &"//\n".repeat(601)),
            file("pure/wire/src/wide.rs", &format!("//{}\n", " word".repeat(30))),
            file("pure/wire/src/a/mod.rs", "use crate::b;\n"),
            file("pure/wire/src/b.rs", "use crate::a;\n"),
            file("docs/a.md", concat!("It lies in /work", "/main. There.\n")),
        ];
        let offences: Vec<String> = check(&graph, &files).iter().map(ToString::to_string).collect();
        let says = [
            "must not reach `tokio`",
            "In this crate",
            "cited by no test",
            "601 lines",
            "152 columns",
            "in a circle",
            "second sentence",
            "no such file",
            "does not belong here",
        ];
        for what in says {
            assert!(offences.iter().any(|o| o.contains(what)), "{what}: {offences:#?}");
        }
    }
}
