//! Places that have no business in this tree: paths of one machine, private registries.
//!
//! The list is written in pieces so that this file passes its own check.

use super::{File, Offence};

/// Found anywhere, whatever the case, as whole words.
const WORDS: &[&str] = &[
    concat!("/work", "/main"),
    concat!("/work", "/shared"),
    concat!("/tmp", "/brief"),
    concat!("/tmp", "/wt"),
    concat!("/root", "/"),
    concat!("index", "-url"),
    concat!("artifact", "ory"),
];

/// The one place that Cargo.lock may name.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            let lower = line.to_lowercase();
            for word in WORDS.iter().filter(|word| holds(&lower, word)) {
                offences.push(Offence::new(
                    &file.path,
                    number,
                    format!("\"{word}\" does not belong here: a place of one machine"),
                ));
            }
        }
        if file.path.ends_with("Cargo.lock") {
            offences.extend(sources(file));
        }
    }
    offences
}

fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let inner = |c: char| c.is_alphanumeric() || c == '_';
        let begins = !word.starts_with(inner) || !line[..at].ends_with(inner);
        let ends = !word.ends_with(inner) || !line[at + word.len()..].starts_with(inner);
        begins && ends
    })
}

fn sources(lock: &File) -> Vec<Offence> {
    lock.lines()
        .filter_map(|(number, line)| {
            let source = line.strip_prefix("source = \"")?.trim_end_matches('"');
            (source != REGISTRY).then(|| {
                Offence::new(&lock.path, number, "a package from elsewhere than crates.io")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn every_word_is_found_whatever_its_case() {
        for word in WORDS {
            let line = format!("first\nsee {} there\n", word.to_uppercase());
            let found = check(&[file("docs/a.md", &line)]);
            assert_eq!(found.len(), 1, "{word}");
            assert_eq!(found[0].line, 2);
        }
    }

    #[test]
    fn places_within_other_words_pass() {
        for line in [
            "the artifacts",
            "grass/rooted/x",
            concat!("/work", "/mainly"),
            concat!("/tmp", "/wtf"),
            concat!("re", "index", "-urls"),
        ] {
            assert_eq!(check(&[file("docs/a.md", line)]), [], "{line}");
        }
    }

    #[test]
    fn a_foreign_registry_in_the_lock_file_is_found() {
        let good = format!("[[package]]\nname = \"a\"\nsource = \"{REGISTRY}\"\n");
        assert_eq!(check(&[file("Cargo.lock", &good)]), []);
        for bad in ["registry+https://example.org/index", "git+https://example.org/a"] {
            let found = check(&[file("fuzz/Cargo.lock", &good.replace(REGISTRY, bad))]);
            assert_eq!(found.len(), 1, "{bad}");
            assert_eq!(found[0].line, 3);
        }
    }

    #[test]
    fn this_file_passes_its_own_check() {
        assert_eq!(check(&[file("xtask/src/tidy/words.rs", include_str!("words.rs"))]), []);
    }
}
