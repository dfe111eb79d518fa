//! A folder as a page.

use std::path::Path;

use super::path;

/// Names that one page shows. What is beyond them is counted.
const MAX_NAMES: usize = 2_000;

/// A page of what a site shows of this folder; `relative` is where the folder is below the root.
pub(super) fn page(root: &Path, relative: &Path) -> std::io::Result<String> {
    let mut names = Vec::new();
    let mut more = 0_usize;
    for entry in std::fs::read_dir(root.join(relative))? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if !path::is_plain(&name) {
            continue;
        }
        // As if it were asked for: a link that leads out is not shown either.
        let Some(real) = path::inside(root, &relative.join(&name)) else { continue };
        let folder = real.is_dir();
        if names.len() >= MAX_NAMES {
            more += 1;
        } else if folder || real.is_file() {
            names.push((!folder, name));
        }
    }
    // Folders first.
    names.sort();
    let title = format!("/{}", relative.to_string_lossy());
    let title = escape(&title);
    let mut html = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body><h1>{title}</h1>\n<ul>\n"
    );
    if !relative.as_os_str().is_empty() {
        html.push_str("<li><a href=\"../\">../</a></li>\n");
    }
    for (file, name) in names {
        let slash = if file { "" } else { "/" };
        // The dot keeps a name with a colon from being taken for a scheme.
        let line = format!(
            "<li><a href=\"./{}{slash}\">{}{slash}</a></li>\n",
            path::encode(&name),
            escape(&name)
        );
        html.push_str(&line);
    }
    html.push_str("</ul>\n");
    if more > 0 {
        html.push_str(&format!("<p>and {more} more</p>\n"));
    }
    html.push_str("</body></html>\n");
    Ok(html)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_names_as_text_and_nothing_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("zoo")).unwrap();
        for name in ["b.txt", "a<b>&\"'.txt", ".secret"] {
            std::fs::write(root.join(name), "x").unwrap();
        }
        let page = page(&root, Path::new("")).unwrap();
        let at = |part: &str| page.find(part).unwrap_or_else(|| panic!("{part} is not in {page}"));
        assert!(
            at("./zoo/") < at("a&lt;b&gt;&amp;&quot;&#39;.txt") && at("./a%3Cb%3E") < at("b.txt")
        );
        assert!(!page.contains("secret") && !page.contains(".."));
    }
}
