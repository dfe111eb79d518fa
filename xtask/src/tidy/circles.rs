//! Folders of one crate do not import each other in circles.
//!
//! The parts of a crate are the modules at its root: a folder with the file of the same name, or a
//! single file. A part imports another when a path in its code leads there: `use crate::other::…`,
//! `super::other::…`, or a name that the crate's root passes on. Parts that reach each other form a
//! circle, and a circle with a folder in it cannot be read, tested or moved piece by piece. Tests
//! do not count: they may look at everything.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::{File, Offence, is_test, is_test_file};

pub(super) fn check(files: &[File]) -> Vec<Offence> {
    let mut crates: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in files.iter().filter(|f| f.is_rust() && !is_test_file(&f.path)) {
        if let Some((root, _)) = file.path.split_once("/src/") {
            crates.entry(root).or_default().push(file);
        }
    }
    let mut offences = Vec::new();
    for (root, files) in &crates {
        let imports = Imports::of(root, files);
        offences.extend(imports.circles().iter().filter_map(|circle| imports.describe(circle)));
    }
    offences
}

/// Where a part first imports another: file and line.
type Place = (String, usize);

/// Which part imports which.
#[derive(Default)]
struct Imports {
    folders: BTreeSet<String>,
    edges: BTreeMap<String, BTreeMap<String, Place>>,
}

impl Imports {
    fn of(root: &str, files: &[&File]) -> Self {
        let mut parts = BTreeSet::new();
        let mut imports = Self::default();
        for file in files {
            let module = module_of(root, &file.path);
            if let Some(part) = module.first() {
                parts.insert(part.clone());
                let folder = format!("{root}/src/{part}/");
                if file.path.starts_with(&folder) {
                    imports.folders.insert(part.clone());
                }
            }
        }
        // What does not parse is said by the check of sizes.
        let trees: Vec<(&File, syn::File)> = files
            .iter()
            .filter_map(|file| Some((*file, syn::parse_file(&file.text).ok()?)))
            .collect();
        let passed_on = trees
            .iter()
            .filter(|(file, _)| module_of(root, &file.path).is_empty())
            .flat_map(|(_, tree)| passed_on(tree, &parts))
            .collect();
        let names = Names { parts, passed_on };
        for (file, tree) in &trees {
            let module = module_of(root, &file.path);
            let Some(part) = module.first().cloned() else { continue };
            let mut paths = Paths { names: &names, module, found: Vec::new() };
            paths.visit_file(tree);
            for (to, line) in paths.found.into_iter().filter(|(to, _)| *to != part) {
                let from = imports.edges.entry(part.clone()).or_default();
                from.entry(to).or_insert_with(|| (file.path.clone(), line));
            }
        }
        imports
    }

    /// All parts that imports lead to from `part`.
    fn reach<'a>(&'a self, part: &'a str) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![part];
        while let Some(at) = open.pop() {
            for to in self.edges.get(at).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(to.as_str()) {
                    open.push(to);
                }
            }
        }
        seen
    }

    /// Sets of parts that all reach each other, with at least one folder among them.
    fn circles(&self) -> Vec<BTreeSet<&str>> {
        let reach: BTreeMap<&str, BTreeSet<&str>> =
            self.edges.keys().map(|part| (part.as_str(), self.reach(part))).collect();
        let mut circles: Vec<BTreeSet<&str>> = Vec::new();
        for (part, reached) in &reach {
            if reached.contains(part) && !circles.iter().any(|circle| circle.contains(part)) {
                let back = |to: &&&str| reach.get(**to).is_some_and(|r| r.contains(part));
                circles.push(reached.iter().filter(back).copied().collect());
            }
        }
        circles.retain(|circle| circle.iter().any(|part| self.folders.contains(*part)));
        circles
    }

    /// One offence for a circle, with the places where its parts import each other.
    fn describe(&self, circle: &BTreeSet<&str>) -> Option<Offence> {
        let mut places = Vec::new();
        for from in circle {
            for (to, (file, line)) in self.edges.get(*from)? {
                if circle.contains(to.as_str()) {
                    places.push(format!("{from} → {to} at {file}:{line}"));
                }
            }
        }
        let first = *circle.first()?;
        let (_, (file, line)) =
            self.edges.get(first)?.iter().find(|(to, _)| circle.contains(to.as_str()))?;
        let what = format!("parts import each other in a circle: {}", places.join(", "));
        Some(Offence::new(file, *line, what))
    }
}

/// The module that a file holds: `crates/x/src/a/b.rs` is `a::b`, the crate's root is empty.
fn module_of(root: &str, path: &str) -> Vec<String> {
    let inner = path.strip_prefix(root).and_then(|p| p.strip_prefix("/src/")).unwrap_or(path);
    let mut parts: Vec<String> =
        inner.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// What the crate's root knows: its parts, and names that it passes on from them.
struct Names {
    parts: BTreeSet<String>,
    passed_on: BTreeMap<String, String>,
}

impl Names {
    /// The part that an absolute path leads into.
    fn part(&self, path: &[String]) -> Option<String> {
        let first = path.first()?;
        if self.parts.contains(first) {
            return Some(first.clone());
        }
        self.passed_on.get(first).cloned()
    }
}

/// Names that the root imports from its parts: `pub(crate) use error::Error` gives `Error`.
fn passed_on(root: &syn::File, parts: &BTreeSet<String>) -> Vec<(String, String)> {
    let mut passed = Vec::new();
    for item in &root.items {
        let syn::Item::Use(item) = item else { continue };
        for (path, _, name) in flatten(&item.tree) {
            let inner: Vec<&String> =
                path.iter().skip_while(|s| *s == "crate" || *s == "self").collect();
            if let Some(part) = inner.first().filter(|first| parts.contains(**first)) {
                passed.push((name, (*part).clone()));
            }
        }
    }
    passed
}

/// The paths of a `use`, each with its line and the name that it brings in.
fn flatten(tree: &syn::UseTree) -> Vec<(Vec<String>, usize, String)> {
    let mut paths = Vec::new();
    let mut open = vec![(Vec::new(), tree)];
    while let Some((mut before, tree)) = open.pop() {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                open.push((before, &path.tree));
            }
            syn::UseTree::Group(group) => {
                open.extend(group.items.iter().map(|item| (before.clone(), item)));
            }
            syn::UseTree::Name(syn::UseName { ident }) => {
                before.push(ident.to_string());
                paths.push((before, ident.span().start().line, ident.to_string()));
            }
            syn::UseTree::Rename(syn::UseRename { ident, rename, .. }) => {
                before.push(ident.to_string());
                paths.push((before, ident.span().start().line, rename.to_string()));
            }
            syn::UseTree::Glob(glob) => {
                paths.push((before, glob.star_token.span.start().line, String::new()));
            }
        }
    }
    paths
}

/// Collects the parts that the paths of one file lead into.
struct Paths<'a> {
    names: &'a Names,
    module: Vec<String>,
    found: Vec<(String, usize)>,
}

impl Paths<'_> {
    fn see(&mut self, path: &[String], line: usize) {
        let mut at = match path.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            _ => return,
        };
        for segment in path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    at.pop();
                }
                name => at.push(name.to_owned()),
            }
        }
        self.found.extend(self.names.part(&at).map(|part| (part, line)));
    }

    /// Paths in the tokens of a macro, which syn leaves as they are.
    fn see_tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut line, mut colons) = (Vec::new(), 1, 0);
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.see(&path, line);
                        path.clear();
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                other => {
                    self.see(&path, line);
                    path.clear();
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.see_tokens(group.stream());
                    }
                }
            }
        }
        self.see(&path, line);
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for (path, line, _) in flatten(&item.tree) {
            self.see(&path, line);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let line = path.segments.first().map_or(1, |s| s.ident.span().start().line);
        self.see(&segments, line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.see_tokens(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Fn(syn::ItemFn { attrs, .. })
        | syn::Item::Impl(syn::ItemImpl { attrs, .. })
        | syn::Item::Mod(syn::ItemMod { attrs, .. })
        | syn::Item::Use(syn::ItemUse { attrs, .. })
        | syn::Item::Const(syn::ItemConst { attrs, .. })
        | syn::Item::Struct(syn::ItemStruct { attrs, .. }) => attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    /// Two folders of one crate, `a` and `b`, with what stands in them and in the root.
    fn says(a: &str, b: &str, root: &str) -> Vec<String> {
        let files = [
            file("crates/x/src/lib.rs", root),
            file("crates/x/src/a.rs", "mod inner;\n"),
            file("crates/x/src/a/inner.rs", a),
            file("crates/x/src/b/mod.rs", "mod inner;\n"),
            file("crates/x/src/b/inner.rs", b),
            file("crates/x/src/c.rs", "pub struct C;\n"),
            file("crates/x/tests/all.rs", "use crate::a::A;\nuse crate::b::B;\n"),
        ];
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn imports_in_one_direction_pass() {
        let inside = "use crate::a::other;\nuse super::other::Thing;\nuse std::fmt;\n";
        assert_eq!(
            says(inside, "use crate::a::A;\nuse crate::c::C;\n", "mod a;\nmod b;\n"),
            [""; 0]
        );
    }

    #[test]
    fn every_spelling_of_a_path_closes_a_circle() {
        let back = [
            "\nuse crate::b::B;\n",
            "\nuse crate::{b::B, c::C};\n",
            "\nuse super::super::b;\n",
            "\nuse crate::b as other;\n",
            "\nuse crate::b::*;\n",
            "\nfn f() -> crate::b::B { todo!() }\n",
            "\nfn f() { crate::b::run(); }\n",
            "\nmod m { use super::super::super::b::B; }\n",
            "\nfn f() { println!(\"{}\", 1, crate::b::B) }\n",
            "\nfn f() { assert!(x == [crate::b::B]) }\n",
            "\nuse crate::Passed;\n",
        ];
        for a in back {
            let says =
                says(a, "use crate::a::A;\n", "mod a;\nmod b;\npub use b::{Thing as Passed};\n");
            assert_eq!(
                says,
                ["crates/x/src/a/inner.rs:2: parts import each other in a circle: \
                 a → b at crates/x/src/a/inner.rs:2, b → a at crates/x/src/b/inner.rs:1"],
                "{a}"
            );
        }
    }

    #[test]
    fn tests_and_other_crates_close_no_circle() {
        for a in [
            "#[cfg(test)]\nmod tests { use crate::b::B; }\n",
            "#[test]\nfn t() { crate::b::run(); }\n",
            "use b::B;\nuse other::b::B;\nfn f() { x.b::<u8>(); m!(b::B, $crate); }\n",
            "use crate::Absent;\n",
        ] {
            assert_eq!(says(a, "use crate::a::A;\n", "mod a;\nmod b;\n"), [""; 0], "{a}");
        }
    }

    #[test]
    fn a_circle_through_a_third_part_is_found_and_one_of_single_files_is_not() {
        let mut files = vec![
            file("pure/x/src/a/mod.rs", "use crate::b::B;\n"),
            file("pure/x/src/b.rs", "use crate::c::C;\n"),
            file("pure/x/src/c.rs", "use crate::a::A;\n"),
        ];
        let found = check(&files);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("a → b at") && found[0].what.contains("c → a at"));
        files[0].path = "pure/x/src/a.rs".to_owned();
        assert_eq!(check(&files), []);
    }
}
