//! Comments fit in 100 columns. (rustfmt holds code to the same width, but leaves comments alone.)
//!
//! Three things may be wider, for a break would spoil them: a row of a table (`|` first), what
//! stands between code fences (drawings, output), and a single word such as a link.

use super::{File, Offence};

/// Columns, as `max_width` in rustfmt.toml.
const COLUMNS: usize = 100;

pub(super) fn check(files: &[File]) -> Vec<Offence> {
    files.iter().filter(|f| f.is_rust()).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Offence> {
    let mut offences = Vec::new();
    let mut fenced = false;
    for (number, line) in file.lines() {
        let Some(comment) = line.trim_start().strip_prefix("//") else {
            fenced = false;
            continue;
        };
        let comment = comment.trim_start_matches(['/', '!']).trim();
        let fence = comment.starts_with("```");
        fenced ^= fence;
        let columns = line.chars().count();
        let may = fenced || fence || comment.starts_with('|') || !comment.contains(' ');
        if columns > COLUMNS && !may {
            let what = format!("a comment of {columns} columns; {COLUMNS} are enough");
            offences.push(Offence::new(&file.path, number, what));
        }
    }
    offences
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    /// The lines of offences in `text`, where `WIDE` stands for 100 columns of words.
    fn found(text: &str) -> Vec<usize> {
        let text = text.replace("WIDE", &"word ".repeat(20));
        check(&[file("crates/net/src/a.rs", &text)]).iter().map(|o| o.line).collect()
    }

    #[test]
    fn a_wide_comment_is_found_wherever_it_stands() {
        assert_eq!(found("//! WIDE\n\n/// WIDE\nfn f() {\n    // WIDE\n}\n"), [1, 3, 5]);
    }

    #[test]
    fn columns_are_counted_not_bytes() {
        let wide = |columns: usize| format!("// {} é\n", "é".repeat(columns - 5));
        assert_eq!(found(&wide(100)), [0; 0]);
        assert_eq!(found(&wide(101)), [1]);
    }

    #[test]
    fn tables_drawings_and_links_may_be_wide() {
        assert_eq!(found("//! | WIDE |\n"), [0; 0]);
        assert_eq!(found("//! ```text\n//! WIDE\n//! ```\n"), [0; 0]);
        assert_eq!(found(&format!("// <https://example.org/{}>\n", "x".repeat(100))), [0; 0]);
        assert_eq!(found("    let text = \"WIDE\"; // short\n"), [0; 0]);
    }

    #[test]
    fn a_drawing_ends_with_its_fence_or_its_comment() {
        assert_eq!(found("//! ```text\n//! ```\n//! WIDE\n"), [3]);
        assert_eq!(found("/// ```\nfn f() {}\n// WIDE\n"), [3]);
    }

    #[test]
    fn only_rust_is_measured() {
        assert_eq!(check(&[file("docs/a.md", &format!("// {}", "word ".repeat(30)))]), []);
    }
}
