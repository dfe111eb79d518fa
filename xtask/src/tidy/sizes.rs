//! Files and functions that fit in a head.

use proc_macro2::Span;
use syn::visit::{self, Visit};

use super::{File, Offence};

/// Lines that a Rust file may have.
const FILE_LINES: usize = 800;
/// Lines from signature to closing brace that a function in `pure/` may have.
const FUNCTION_LINES: usize = 70;

pub(super) fn check(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in files.iter().filter(|f| f.is_rust()) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            offences.push(Offence::new(
                &file.path,
                lines,
                format!("{lines} lines; {FILE_LINES} are enough"),
            ));
        }
        if is_product(&file.path) {
            offences.extend(functions(file));
        }
    }
    offences
}

/// Code of `pure/` that is no test, bench or example.
fn is_product(path: &str) -> bool {
    path.starts_with("pure/")
        && path.contains("/src/")
        && !path.ends_with("/tests.rs")
        && !path.contains("/tests/")
}

fn functions(file: &File) -> Vec<Offence> {
    let tree = match syn::parse_file(&file.text) {
        Ok(tree) => tree,
        Err(e) => {
            return vec![Offence::new(
                &file.path,
                e.span().start().line,
                format!("does not parse: {e}"),
            )];
        }
    };
    let mut long = LongFunctions { path: &file.path, offences: Vec::new() };
    long.visit_file(&tree);
    long.offences
}

struct LongFunctions<'a> {
    path: &'a str,
    offences: Vec<Offence>,
}

impl LongFunctions<'_> {
    fn measure(&mut self, name: &syn::Ident, signature: Span, block: &syn::Block) {
        let (first, last) = (signature.start().line, block.brace_token.span.close().end().line);
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES {
            let what = format!("function `{name}` has {lines} lines; {FUNCTION_LINES} are enough");
            self.offences.push(Offence::new(self.path, first, what));
        }
    }
}

impl<'ast> Visit<'ast> for LongFunctions<'_> {
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

/// `#[test]` or `#[cfg(test)]`.
fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let cfg_test = || attr.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"));
        attr.path().is_ident("test") || attr.path().is_ident("cfg") && cfg_test()
    })
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
        assert_eq!(says("crates/net/src/a.rs", &"//\n".repeat(800)), [""; 0]);
        assert_eq!(
            says("crates/net/src/a.rs", &"//\n".repeat(801)),
            ["crates/net/src/a.rs:801: 801 lines; 800 are enough"]
        );
        assert_eq!(says("docs/long.md", &"x\n".repeat(801)), [""; 0]);
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
    fn tests_and_shells_are_not_measured() {
        let long = function(71);
        assert_eq!(
            says("pure/mix/src/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}")),
            [""; 0]
        );
        assert_eq!(says("pure/mix/src/a.rs", &format!("#[test]\n{long}")), [""; 0]);
        assert_eq!(says("pure/mix/tests/a.rs", &long), [""; 0]);
        assert_eq!(says("crates/net/src/a.rs", &long), [""; 0]);
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
