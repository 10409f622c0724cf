//! The modules of a crate, each a file, and what they use of each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Graph, circles};
use crate::uses::uses;

/// A module's path from the crate's root, which is empty.
pub type ModulePath = Vec<String>;

/// See the module.
pub struct Modules {
    /// The file of each.
    files: BTreeMap<ModulePath, String>,
    /// For each what it uses, with the path by which it does.
    edges: BTreeMap<ModulePath, BTreeMap<ModulePath, String>>,
}

impl Modules {
    /// Reads files: their paths and their texts.
    pub fn read(sources: &[(String, String)]) -> Result<Modules, String> {
        let mut files = BTreeMap::new();
        let mut trees = Vec::new();
        for (file, text) in sources {
            let tree = syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?;
            files.insert(module_path(file), file.clone());
            trees.push((module_path(file), tree));
        }
        let known: BTreeSet<ModulePath> = files.keys().cloned().collect();
        let tests = test_modules(&trees);
        let mut edges: BTreeMap<ModulePath, BTreeMap<ModulePath, String>> = BTreeMap::new();
        for (module, tree) in &trees {
            let is_test = (0..=module.len()).any(|length| {
                module
                    .get(..length)
                    .is_some_and(|path| tests.contains(path))
            });
            if is_test {
                files.remove(module);
                continue;
            }
            let used = edges.entry(module.clone()).or_default();
            for path in uses(tree, module, &known) {
                let target = longest_module(&path, &known);
                if target != *module && !tests.contains(&target) {
                    used.entry(target).or_insert_with(|| path.join("::"));
                }
            }
        }
        Ok(Modules { files, edges })
    }

    /// What is wrong.
    pub fn findings(&self, closed: &[&str]) -> Vec<String> {
        let mut findings = Vec::new();
        for circle in circles(&self.graph(Vec::clone)) {
            findings.push(format!("a circle of files: {}", self.describe(&circle)));
        }
        // Files may be without circles and folders not: a/x uses b/x, and b/y uses a/y.
        if findings.is_empty() {
            for circle in circles(&self.graph(|path| path.first().cloned().into_iter().collect())) {
                let names: Vec<String> = circle.iter().map(|path| path.join("::")).collect();
                findings.push(format!("a circle of folders: {}", names.join(" -> ")));
            }
        }
        for (module, used) in &self.edges {
            for (target, by) in used {
                let folder = module.first().map_or("", String::as_str);
                if closed.contains(&folder) && target.first() != module.first() {
                    let file = self.file(module);
                    findings.push(format!(
                        "{file} uses crate::{by}, which is outside of {folder}"
                    ));
                }
            }
        }
        findings
    }

    /// The graph of what `part` makes of the modules' paths.
    fn graph(&self, part: impl Fn(&ModulePath) -> ModulePath) -> Graph<ModulePath> {
        let mut graph = Graph::new();
        for (module, used) in &self.edges {
            let from = part(module);
            let to = used.keys().map(&part).filter(|to| *to != from);
            let to: BTreeSet<ModulePath> = to.collect();
            graph.entry(from).or_default().extend(to);
        }
        graph
    }

    fn file(&self, module: &ModulePath) -> &str {
        self.files.get(module).map_or("", String::as_str)
    }

    /// A circle, with the path by which each uses the next.
    fn describe(&self, circle: &[ModulePath]) -> String {
        let mut text = String::new();
        for (at, module) in circle.iter().enumerate() {
            text.push_str(self.file(module));
            let next = circle.get(at + 1);
            let by = next.and_then(|next| self.edges.get(module)?.get(next));
            if let Some(by) = by {
                text.push_str(&format!(" -({by})-> "));
            }
        }
        text
    }
}

/// The module that a file is.
fn module_path(file: &str) -> ModulePath {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let mut path: ModulePath = stem.split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod") || path == ["lib"] || path == ["main"] {
        path.pop();
    }
    path
}

/// The modules of files that are there for tests only.
fn test_modules(trees: &[(ModulePath, syn::File)]) -> BTreeSet<ModulePath> {
    let mut tests = BTreeSet::new();
    for (module, tree) in trees {
        for item in &tree.items {
            if let syn::Item::Mod(item) = item
                && crate::uses::is_test(&item.attrs)
            {
                let mut path = module.clone();
                path.push(item.ident.to_string());
                tests.insert(path);
            }
        }
    }
    tests
}

/// The module in which a path's item is: the longest beginning of the path that is one.
fn longest_module(path: &[String], known: &BTreeSet<ModulePath>) -> ModulePath {
    let mut module = path.to_vec();
    while !known.contains(&module) && module.pop().is_some() {}
    module
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)], closed: &[&str]) -> Vec<String> {
        let files: Vec<(String, String)> = files
            .iter()
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect();
        Modules::read(&files).unwrap().findings(closed)
    }

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(findings(files, &[]), expected, "{files:?}");
    }

    #[test]
    fn arrows_in_one_direction_are_fine() {
        check(
            &[
                ("lib.rs", "mod a; mod b; pub use b::B;"),
                ("a.rs", "pub struct A;"),
                ("b.rs", "use crate::a::A; pub struct B(A);"),
            ],
            &[],
        );
    }

    #[test]
    fn two_files_that_use_each_other_are_a_circle() {
        check(
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "use crate::b::B;"),
                ("b.rs", "fn f() { crate::a::f(); }"),
            ],
            &["a circle of files: a.rs -(b::B)-> b.rs -(a::f)-> a.rs"],
        );
    }

    #[test]
    fn a_long_circle_is_found() {
        check(
            &[
                ("a.rs", "use super::b;"),
                ("b.rs", "fn f(x: crate::c::C) {}"),
                ("c.rs", "use crate::{a::{self, A}};"),
            ],
            &["a circle of files: a.rs -(b)-> b.rs -(c::C)-> c.rs -(a)-> a.rs"],
        );
    }

    #[test]
    fn a_child_and_its_parent_are_a_circle() {
        check(
            &[
                ("a.rs", "mod b; use b::B; struct A;"),
                ("a/b.rs", "use super::A;"),
            ],
            &["a circle of files: a.rs -(a::b::B)-> a/b.rs -(a::A)-> a.rs"],
        );
        check(
            &[
                ("a/mod.rs", "mod b; fn f() { self::b::f() }"),
                ("a/b.rs", "fn f() { super::f() }"),
            ],
            &["a circle of files: a/mod.rs -(a::b::f)-> a/b.rs -(a::f)-> a/mod.rs"],
        );
    }

    #[test]
    fn who_takes_a_name_of_the_root_is_in_a_circle_with_it() {
        check(
            &[
                ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
                ("a.rs", "pub struct A;"),
                ("b.rs", "use crate::A; pub struct B(A);"),
            ],
            &["a circle of files: lib.rs -(b::B)-> b.rs -(A)-> lib.rs"],
        );
    }

    #[test]
    fn paths_by_an_import_and_in_macros_count() {
        check(
            &[
                ("a/mod.rs", "mod c;"),
                ("a/c.rs", "use crate::b;"),
                ("b.rs", "use crate::a; fn f() { a::c::f(); }"),
            ],
            &["a circle of files: a/c.rs -(b)-> b.rs -(a::c::f)-> a/c.rs"],
        );
        check(
            &[
                ("a.rs", "fn f() { assert!(matches!(1, crate::b::ONE)); }"),
                ("b.rs", "use crate::a::A;"),
            ],
            &["a circle of files: a.rs -(b::ONE)-> b.rs -(a::A)-> a.rs"],
        );
    }

    #[test]
    fn tests_and_inner_modules_are_seen_for_what_they_are() {
        check(
            &[
                (
                    "a.rs",
                    "#[cfg(test)] mod tests { use crate::b::B; } #[cfg(test)] use crate::b::C;",
                ),
                ("b.rs", "use crate::a::A; #[cfg(test)] mod tests;"),
                ("b/tests.rs", "use super::*; use crate::c::C;"),
                ("c.rs", "use crate::b::B;"),
            ],
            &[],
        );
        check(
            &[
                ("a.rs", "mod inner { use super::super::b::B; }"),
                ("b.rs", "use crate::a::A;"),
            ],
            &["a circle of files: a.rs -(b::B)-> b.rs -(a::A)-> a.rs"],
        );
    }

    #[test]
    fn folders_may_be_a_circle_where_files_are_not() {
        check(
            &[
                ("a/x.rs", "use crate::b::x::X;"),
                ("a/y.rs", ""),
                ("b/x.rs", ""),
                ("b/y.rs", "use crate::a::y::Y;"),
            ],
            &["a circle of folders: a -> b -> a"],
        );
    }

    #[test]
    fn a_border_is_kept() {
        let files = [
            ("pg/mod.rs", "mod a;"),
            (
                "pg/a.rs",
                "use super::b; use crate::pg::b::B; use crate::other::O;",
            ),
            ("pg/b.rs", ""),
            ("other.rs", ""),
        ];
        assert_eq!(
            findings(&files, &["pg"]),
            ["pg/a.rs uses crate::other::O, which is outside of pg"]
        );
        assert!(findings(&files, &[]).is_empty());
    }
}
