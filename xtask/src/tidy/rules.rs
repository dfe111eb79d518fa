//! Rules of the specification: each is stated once, and a test cites it.
//!
//! A rule is a line of `docs/spec/*.md` that begins with its id in bold; a citation is a comment
//! `//= ID` in test code.

use std::collections::BTreeMap;

use super::{File, Offence};

pub(super) fn check(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    let mut rules: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for file in files.iter().filter(|f| f.path.starts_with("docs/spec/") && f.path.ends_with(".md"))
    {
        for (number, line) in file.lines() {
            let Some(id) = stated(line) else { continue };
            if let Some((first, at)) = rules.get(id) {
                offences.push(Offence::new(
                    &file.path,
                    number,
                    format!("rule {id} is stated already at {first}:{at}"),
                ));
            } else {
                rules.insert(id.to_owned(), (&file.path, number));
            }
        }
    }
    let mut cited: Vec<&str> = Vec::new();
    for file in files.iter().filter(|f| f.is_rust()) {
        let tests_begin = first_test_line(file);
        for (number, line) in file.lines() {
            let Some(list) = line.trim_start().strip_prefix("//= ") else { continue };
            let ids: Vec<&str> = list.split([' ', ',']).filter(|id| is_id(id)).collect();
            if ids.is_empty() {
                offences.push(Offence::new(&file.path, number, "a citation without a rule id"));
            }
            for id in ids {
                if !rules.contains_key(id) {
                    offences.push(Offence::new(
                        &file.path,
                        number,
                        format!("rule {id} is stated nowhere in docs/spec"),
                    ));
                }
                if number < tests_begin {
                    offences.push(Offence::new(
                        &file.path,
                        number,
                        format!("{id} is cited outside test code"),
                    ));
                } else {
                    cited.push(id);
                }
            }
        }
    }
    for (id, (path, number)) in &rules {
        if !cited.contains(&id.as_str()) {
            offences.push(Offence::new(
                *path,
                *number,
                format!("rule {id} is cited by no test (`//= {id}`)"),
            ));
        }
    }
    offences
}

/// The id that the line states: `**SPHINX-001** ...`.
fn stated(line: &str) -> Option<&str> {
    let (id, _) = line.strip_prefix("**")?.split_once("**")?;
    is_id(id).then_some(id)
}

/// Capital letters, a hyphen, three digits.
fn is_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(name, number)| {
        name.len() >= 2
            && name.chars().all(|c| c.is_ascii_uppercase())
            && number.len() == 3
            && number.chars().all(|c| c.is_ascii_digit())
    })
}

/// Where the file's test code begins: at once in test folders, else at the first `#[cfg(test)]`.
fn first_test_line(file: &File) -> usize {
    let parts = ["tests", "tests.rs", "conformance", "conformance.rs"];
    if file.path.split('/').any(|part| parts.contains(&part)) {
        return 1;
    }
    file.lines()
        .find(|(_, line)| line.trim_start().starts_with("#[cfg(test)]"))
        .map_or(usize::MAX, |(n, _)| n)
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn says(spec: &str, path: &str, code: &str) -> Vec<String> {
        check(&[file("docs/spec/wire.md", spec), file(path, code)])
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_stated_and_cited_rule_passes() {
        let spec = "# Wire\n\n**WIRE-001** A rule.\n**WIRE-002** Another.\nAs **bold** text says, see **WIRE-003**.\n";
        assert_eq!(says(spec, "pure/wire/tests/a.rs", "//= WIRE-001, WIRE-002\n"), [""; 0]);
        assert_eq!(
            says(
                "**WIRE-001** A.\n",
                "pure/wire/src/a.rs",
                "#[cfg(test)]\nmod t {\n    //= WIRE-001\n}\n"
            ),
            [""; 0]
        );
    }

    #[test]
    fn an_uncited_rule_is_found() {
        let says =
            says("\n**WIRE-001** A rule.\n", "pure/wire/tests/a.rs", "// WIRE-001 in passing\n");
        assert_eq!(
            says,
            ["docs/spec/wire.md:2: rule WIRE-001 is cited by no test (`//= WIRE-001`)"]
        );
    }

    #[test]
    fn a_rule_stated_twice_is_found() {
        let says = says("**WIRE-001** A.\n**WIRE-001** B.\n", "tests/a.rs", "//= WIRE-001\n");
        assert_eq!(
            says,
            ["docs/spec/wire.md:2: rule WIRE-001 is stated already at docs/spec/wire.md:1"]
        );
    }

    #[test]
    fn a_citation_of_nothing_is_found() {
        assert_eq!(
            says("", "tests/a.rs", "\n//= WIRE-009\n"),
            ["tests/a.rs:2: rule WIRE-009 is stated nowhere in docs/spec"]
        );
        assert_eq!(
            says("", "tests/a.rs", "//= wire 9\n"),
            ["tests/a.rs:1: a citation without a rule id"]
        );
    }

    #[test]
    fn a_citation_outside_tests_does_not_count() {
        let says = says(
            "**WIRE-001** A.\n",
            "pure/wire/src/a.rs",
            "//= WIRE-001\nfn f() {}\n#[cfg(test)]\nmod t {}\n",
        );
        assert_eq!(says.len(), 2, "{says:?}");
        assert!(says[0].contains("outside test code") && says[1].contains("cited by no test"));
    }
}
