//! Tests that the threat model names beside a sentence: each is there.
//!
//! A name is `FILE::TEST` in code, where FILE is the stem of the test's file (of `tests.rs`,
//! `mod.rs` and `main.rs`, the folder above) and TEST its name, or the beginning of it and `…`.

use super::{File, Offence};

const PAGE: &str = "docs/threat-model.md";

pub(super) fn check(files: &[File]) -> Vec<Offence> {
    let rust: Vec<&File> = files.iter().filter(|f| f.is_rust()).collect();
    let page = files.iter().find(|f| f.path == PAGE);
    let lines = page.into_iter().flat_map(File::lines);
    let names = lines.flat_map(|(number, line)| named(line).map(move |name| (number, name)));
    names
        .filter(|(_, (stem, test))| !rust.iter().any(|f| stem_of(&f.path) == *stem && has(f, test)))
        .map(|(number, (stem, test))| {
            Offence::new(PAGE, number, format!("no test is called {stem}::{test}"))
        })
        .collect()
}

/// The names of tests in a line.
fn named(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let code = line.split('`').skip(1).step_by(2);
    code.filter_map(|name| name.split_once("::")).filter(|(stem, test)| {
        let plain =
            |s: &str| s.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        !stem.is_empty() && plain(stem) && plain(test.trim_end_matches('…'))
    })
}

/// What the tests of this file are found under.
fn stem_of(path: &str) -> &str {
    let mut parts = path.rsplit('/');
    match parts.next().and_then(|file| file.strip_suffix(".rs")) {
        Some("tests" | "mod" | "main") => parts.next().unwrap_or_default(),
        stem => stem.unwrap_or_default(),
    }
}

/// Whether a test of this name, or with this beginning, is in the file.
fn has(file: &File, test: &str) -> bool {
    let mut is_test = false;
    file.lines().any(|(_, line)| {
        let line = line.trim_start();
        if line.starts_with("#[") || line.starts_with("//") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            return false;
        }
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        let name = function.and_then(|f| f.split(['(', '<']).next()).unwrap_or_default();
        let fits = match test.strip_suffix('…') {
            Some(start) => !start.is_empty() && name.starts_with(start),
            None => name == test,
        };
        std::mem::take(&mut is_test) && fits
    })
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn says(sentence: &str) -> Vec<String> {
        let code = "fn helper() {}\n#[test]\nfn a_thief_opens_nothing() {}\n\
                    #[tokio::test]\nasync fn it_comes() {}\n";
        let files = [
            file(PAGE, sentence),
            file("pure/messenger/src/messenger/tests/seizure/mod.rs", code),
            file("pure/mix/src/relay/tests.rs", code),
            file("crates/app/tests/tor.rs", code),
        ];
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_test_is_found_by_its_file_and_its_beginning() {
        for name in ["seizure::a_thief…", "relay::a_thief_opens_nothing", "tor::it_comes"] {
            assert_eq!(says(&format!("| cannot (`{name}`) |")), [""; 0], "{name}");
        }
        assert_eq!(says("the type `Vec::new` and `seizure`"), [""; 0]);
    }

    #[test]
    fn a_test_that_is_not_there_is_refused() {
        for name in
            ["seizure::a_friend…", "relay::a_thief", "mix::a_thief…", "tor::helper", "tor::…"]
        {
            let offence = format!("{PAGE}:1: no test is called {name}");
            assert_eq!(says(&format!("(`{name}`)")), [offence]);
        }
    }
}
