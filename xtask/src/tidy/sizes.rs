//! Files and functions that fit in a head.

use proc_macro2::Span;
use syn::visit::{self, Visit};

use super::{File, Offence, is_test, is_test_file};

/// Lines that a Rust file may have.
const FILE_LINES: usize = 600;
/// Lines from signature to closing brace that a function may have: any in `pure/`, and nearly all
/// elsewhere.
const FUNCTION_LINES: usize = 70;
/// How many of a hundred functions must be that short.
const SHORT_PER_CENT: usize = 98;

/// Folders of development tools, which are no product.
const TOOLS: &[&str] = &["crates/tornet/", "crates/lanlab/"];

pub(super) fn check(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    let mut functions = Vec::new();
    for file in files.iter().filter(|f| f.is_rust()) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            let what = format!("{lines} lines; {FILE_LINES} are enough");
            offences.push(Offence::new(&file.path, lines, what));
        }
        if is_product(&file.path) {
            match measure(file) {
                Ok(found) => functions.extend(found),
                Err(offence) => offences.push(offence),
            }
        }
    }
    offences.extend(long_functions(functions));
    offences
}

/// Code that ships: no test, bench, example or tool.
fn is_product(path: &str) -> bool {
    (path.starts_with("pure/") || path.starts_with("crates/"))
        && path.contains("/src/")
        && !is_test_file(path)
        && !TOOLS.iter().any(|tool| path.starts_with(tool))
}

/// Each long function in `pure/`, and of the others the longest that are too many.
fn long_functions(functions: Vec<Function>) -> Vec<Offence> {
    let all = functions.len();
    let (pure, mut others): (Vec<_>, Vec<_>) = functions
        .into_iter()
        .filter(|f| f.lines > FUNCTION_LINES)
        .partition(|f| f.path.starts_with("pure/"));
    let may = (all * (100 - SHORT_PER_CENT) / 100).saturating_sub(pure.len());
    others.sort_by_key(|f| std::cmp::Reverse(f.lines));
    others.truncate(others.len().saturating_sub(may));
    let offences = pure.iter().map(|f| f.offence("")).chain(others.iter().map(|f| {
        f.offence(&format!(", and {SHORT_PER_CENT} of 100 functions must have no more than that"))
    }));
    offences.collect()
}

/// A function and where it begins.
struct Function {
    path: String,
    line: usize,
    name: String,
    lines: usize,
}

impl Function {
    fn offence(&self, why: &str) -> Offence {
        let Self { name, lines, .. } = self;
        let what = format!("function `{name}` has {lines} lines; {FUNCTION_LINES} are enough{why}");
        Offence::new(&self.path, self.line, what)
    }
}

fn measure(file: &File) -> Result<Vec<Function>, Offence> {
    let tree = syn::parse_file(&file.text).map_err(|e| {
        Offence::new(&file.path, e.span().start().line, format!("does not parse: {e}"))
    })?;
    let mut functions = Functions { path: &file.path, found: Vec::new() };
    functions.visit_file(&tree);
    Ok(functions.found)
}

struct Functions<'a> {
    path: &'a str,
    found: Vec<Function>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, signature: Span, block: &syn::Block) {
        let (line, last) = (signature.start().line, block.brace_token.span.close().end().line);
        let (path, name) = (self.path.to_owned(), name.to_string());
        self.found.push(Function { path, line, name, lines: last + 1 - line });
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            self.measure(&item.sig.ident, item.sig.fn_token.span, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.measure(&item.sig.ident, item.sig.fn_token.span, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig.ident, item.sig.fn_token.span, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn says(path: &str, text: &str) -> Vec<String> {
        check(&[file(path, text)]).iter().map(ToString::to_string).collect()
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    ();\n".repeat(lines - 2))
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(says("crates/net/src/a.rs", &"//\n".repeat(600)), [""; 0]);
        assert_eq!(
            says("crates/net/src/a.rs", &"//\n".repeat(601)),
            ["crates/net/src/a.rs:601: 601 lines; 600 are enough"]
        );
        assert_eq!(says("docs/long.md", &"x\n".repeat(601)), [""; 0]);
    }

    #[test]
    fn a_long_function_is_found_wherever_it_stands() {
        let long = function(71);
        let what = "function `long` has 71 lines; 70 are enough";
        assert_eq!(
            says("pure/mix/src/a.rs", &format!("\n{long}")),
            [format!("pure/mix/src/a.rs:2: {what}")]
        );
        for place in
            ["impl X {\n@}", "trait X {\n@}", "mod x {\n@}", "fn f() {\n@}", "impl T for X {\n@}"]
        {
            let offences = says("pure/mix/src/a.rs", &place.replace('@', &long));
            assert!(
                offences.iter().any(|o| o == &format!("pure/mix/src/a.rs:2: {what}")),
                "{place}: {offences:?}"
            );
        }
    }

    #[test]
    fn comments_above_do_not_count_but_a_signature_does() {
        let documented = format!("/// {}\n#[inline]\n{}", "x\n/// ".repeat(40), function(70));
        assert_eq!(says("pure/mix/src/a.rs", &documented), [""; 0]);
        let wide = function(70).replace("long()", "long(\n    a: u8,\n)");
        assert!(says("pure/mix/src/a.rs", &wide)[0].contains("has 72 lines"));
    }

    #[test]
    fn two_of_a_hundred_functions_of_the_shells_may_be_long() {
        let says = |short: usize, long: usize| {
            let text = function(3).repeat(short) + &function(71).repeat(long) + &function(90);
            says("crates/net/src/a.rs", &text)
        };
        assert_eq!(says(98, 1), [""; 0]);
        let too_many = says(97, 2);
        assert_eq!(
            too_many,
            ["crates/net/src/a.rs:434: function `long` has 90 lines; 70 are enough, \
             and 98 of 100 functions must have no more than that"]
        );
    }

    #[test]
    fn tests_and_tools_are_not_measured() {
        let long = function(71);
        assert_eq!(
            says("pure/mix/src/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}")),
            [""; 0]
        );
        assert_eq!(says("pure/mix/src/a.rs", &format!("#[test]\n{long}")), [""; 0]);
        assert_eq!(says("pure/mix/tests/a.rs", &long), [""; 0]);
        assert_eq!(says("crates/tornet/src/a.rs", &long), [""; 0]);
        assert_eq!(says("xtask/src/a.rs", &long), [""; 0]);
        assert_eq!(
            says("pure/mix/src/a.rs", &format!("#[cfg(feature = \"test\")]\n{long}")).len(),
            1
        );
    }

    #[test]
    fn what_does_not_parse_is_said() {
        assert!(says("pure/mix/src/a.rs", "fn (")[0].contains("does not parse"));
    }
}
