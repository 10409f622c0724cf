//! The paths in a file that lead to modules of its own crate.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemUse, Macro, Path, UseTree, Visibility};

use crate::modules::ModulePath;

/// All paths in `file`, which is the module of that path, from the root of the crate on.
pub fn uses(file: &File, module: &ModulePath, known: &BTreeSet<ModulePath>) -> Vec<ModulePath> {
    let mut finder = Finder {
        module: module.clone(),
        known,
        imported: BTreeMap::new(),
        found: Vec::new(),
    };
    // Imports first: they are good for the whole file, wherever they stand.
    let mut imports = Imports(Vec::new());
    imports.visit_file(file);
    for (inner, tree) in imports.0 {
        finder.import(&inner, Vec::new(), tree);
    }
    finder.visit_file(file);
    finder.found
}

/// Whether what has these attributes is there for tests only.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let words = |tokens: &TokenStream| tokens.clone().into_iter().any(names_test);
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && matches!(&attribute.meta, syn::Meta::List(list)
                    if words(&list.tokens) && !list.tokens.to_string().contains("not"))
    })
}

fn names_test(token: TokenTree) -> bool {
    match token {
        TokenTree::Ident(word) => word == "test",
        TokenTree::Group(group) => group.stream().into_iter().any(names_test),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    }
}

/// Collects the imports, with the inner modules that they stand in.
struct Imports<'ast>(Vec<(ModulePath, &'ast UseTree)>);

impl<'ast> Visit<'ast> for Imports<'ast> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let before = self.0.len();
        visit::visit_item_mod(self, item);
        for (inner, _) in self.0.iter_mut().skip(before) {
            inner.insert(0, item.ident.to_string());
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.0.push((Vec::new(), &item.tree));
    }
}

/// Goes through a file.
struct Finder<'a> {
    /// Where it is: the file's module, or one inside of the file.
    module: ModulePath,
    known: &'a BTreeSet<ModulePath>,
    /// Names of this file that stand for modules.
    imported: BTreeMap<String, ModulePath>,
    found: Vec<ModulePath>,
}

impl Finder<'_> {
    /// Takes the imports of a tree that stands in that inner module.
    fn import(&mut self, inner: &ModulePath, before: Vec<String>, tree: &UseTree) {
        let mut path = before;
        let name = match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                return self.import(inner, path, &part.tree);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(inner, path.clone(), tree);
                }
                return;
            }
            UseTree::Glob(_) => None,
            UseTree::Name(name) if name.ident == "self" => path.last().cloned(),
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                Some(name.ident.to_string())
            }
            UseTree::Rename(rename) => {
                if rename.ident != "self" {
                    path.push(rename.ident.to_string());
                }
                Some(rename.rename.to_string())
            }
        };
        let module = [self.module.clone(), inner.clone()].concat();
        if let Some(path) = self.resolve(&module, &path) {
            if let Some(name) = name
                && self.known.contains(&path)
            {
                self.imported.insert(name, path.clone());
            }
            self.found.push(path);
        }
    }

    /// A path from the root of the crate on; `None` if it leads elsewhere.
    fn resolve(&self, module: &ModulePath, path: &[String]) -> Option<ModulePath> {
        let (first, mut rest) = path.split_first()?;
        let mut from = match first.as_str() {
            "crate" => return Some(rest.to_vec()),
            "self" => module.clone(),
            "super" => module.split_last()?.1.to_vec(),
            name => {
                let child = [module.as_slice(), &[name.to_owned()]].concat();
                if self.known.contains(&child) {
                    child
                } else {
                    self.imported.get(name)?.clone()
                }
            }
        };
        while let Some((word, after)) = rest.split_first()
            && word == "super"
        {
            from.pop()?;
            rest = after;
        }
        from.extend_from_slice(rest);
        Some(from)
    }

    fn path(&mut self, words: &[String]) {
        // A single word is a name of this file, or imported.
        if words.len() > 1
            && let Some(path) = self.resolve(&self.module, words)
        {
            self.found.push(path);
        }
    }

    /// Paths among tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut words: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.path(&std::mem::take(&mut words));
                    }
                    words.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.path(&std::mem::take(&mut words));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.path(&words);
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
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
        if item.content.is_some() {
            self.module.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let words = path.segments.iter().map(|part| part.ident.to_string());
            self.path(&words.collect::<Vec<_>>());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, of: &'ast Macro) {
        self.tokens(of.tokens.clone());
        visit::visit_macro(self, of);
    }

    fn visit_item_use(&mut self, _: &'ast ItemUse) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
