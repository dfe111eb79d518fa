//! Markdown has one sentence a line, so that a change to a sentence is a change to one line.
//!
//! A second sentence is a `.`, `!` or `?`, a space, and a capital letter. It may stand in the same
//! line in tables, code, quotations and brackets; abbreviations end no sentence.

use super::{File, Offence};

/// Words before a point that end no sentence.
const ABBREVIATIONS: &[&str] = &["e.g", "i.e", "vs", "cf", "etc", "no", "sec", "fig"];

pub(super) fn check(files: &[File]) -> Vec<Offence> {
    files.iter().filter(|f| f.path.ends_with(".md")).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Offence> {
    let mut offences = Vec::new();
    let mut fenced = false;
    for (number, line) in file.lines() {
        let text = line.trim_start().trim_start_matches(['>', ' ']);
        if text.starts_with("```") {
            fenced = !fenced;
        }
        if fenced || text.starts_with('|') {
            continue;
        }
        if let Some(second) = second_sentence(&bare(text)) {
            let what = format!("a second sentence in one line: \"{second}\"");
            offences.push(Offence::new(&file.path, number, what));
        }
    }
    offences
}

/// The line without what may hold sentences of its own: code, brackets, quotations.
fn bare(line: &str) -> String {
    let mut bare = String::new();
    let (mut code, mut quoted, mut depth) = (false, false, 0_usize);
    for c in line.chars() {
        match c {
            '`' => code = !code,
            _ if code => continue,
            '"' => quoted = !quoted,
            '“' => quoted = true,
            '”' => quoted = false,
            '(' | '[' | '<' => depth += 1,
            ')' | ']' | '>' => depth = depth.saturating_sub(1),
            c if depth == 0 && !quoted => bare.push(c),
            _ => {}
        }
    }
    bare
}

/// The first words of a sentence that does not begin the line.
fn second_sentence(line: &str) -> Option<String> {
    let (mut end, mut before) = (false, "");
    for word in line.split_whitespace() {
        let begins = word.trim_start_matches(['*', '_']).starts_with(char::is_uppercase);
        if end && begins && !before.is_empty() {
            let at = line.find(word)?;
            return Some(line[at..].chars().take(30).collect());
        }
        let core = word.trim_end_matches(['*', '_']);
        end = core.ends_with(['.', '!', '?']) && !is_abbreviation(core);
        // A list's number or mark is no sentence.
        before = if before.is_empty() && core.trim_end_matches('.').parse::<u32>().is_ok() {
            ""
        } else {
            word
        };
    }
    None
}

fn is_abbreviation(word: &str) -> bool {
    let word = word.trim_end_matches('.').to_lowercase();
    let initial = word.len() == 1 && word.starts_with(char::is_alphabetic) && word != "i";
    initial || ABBREVIATIONS.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn found(text: &str) -> Vec<usize> {
        check(&[file("docs/a.md", text)]).iter().map(|o| o.line).collect()
    }

    #[test]
    fn a_second_sentence_is_found() {
        for line in [
            "One. Two.",
            "Really? Yes.",
            "- A point of a list. Another sentence.",
            "1. Do this. Then that.",
            "> Quoted. Twice.",
            "**Unaudited.** Nobody looked.",
            "A link ([there](a.md)) ends it. Now the next.",
            "It costs 5. Nothing more.",
        ] {
            assert_eq!(found(&format!("# Title\n\n{line}\n")), [3], "{line}");
        }
        let offence = &check(&[file("a.md", "One. Two words.")])[0];
        assert_eq!(offence.to_string(), "a.md:1: a second sentence in one line: \"Two words.\"");
    }

    #[test]
    fn what_only_looks_like_one_passes() {
        for line in [
            "One sentence, see RFC 9420 and 1.5 MB.",
            "1. Do this.",
            "| One. Two. | Three. Four. |",
            "Write e.g. Alice, or N. Bourbaki.",
            "It says \"Stop. Now.\" and stops.",
            "Run `a. B` (twice. No more).",
            "See [One. Two](a.md).",
            "The file a.b. then small letters.",
        ] {
            assert_eq!(found(line), [0; 0], "{line}");
        }
        assert_eq!(found("```text\nOne. Two.\n```\n"), [0; 0]);
        assert_eq!(found("```text\n```\nOne. Two.\n"), [3]);
    }

    #[test]
    fn only_markdown_is_read() {
        assert_eq!(check(&[file("a.rs", "// One. Two.\n")]), []);
    }
}
