//! The text of the queries: what a partition is asked, and what is evaluated locally to find the partition.
//!
//! Parameters are numbered in the order of their first use; the same argument twice is one parameter.

use crate::ast::{Part, Sql};
use crate::ident::{quote_ident, quote_literal};
use crate::signature::{Column, Returns, Signature, TypeName};
use std::fmt::Write;

/// A query for the partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteQuery {
    /// The text, each parameter with its cast: `$1::type`.
    pub sql: String,
    /// The argument behind each parameter: `args[0]` is `$1`.
    pub args: Vec<usize>,
    /// Where parameters stand in the text, in order: the first byte, and which one it is, from 0.
    mentions: Vec<(usize, usize)>,
}

impl RemoteQuery {
    /// The text with a literal in the place of each parameter, for people to read: `None` is NULL.
    pub fn filled(&self, values: &[Option<String>]) -> String {
        let mut text = String::with_capacity(self.sql.len());
        let mut rest = 0;
        for (at, param) in &self.mentions {
            text.push_str(self.sql.get(rest..*at).unwrap_or_default());
            match values.get(*param).and_then(Option::as_deref) {
                Some(value) => text.push_str(&quote_literal(value)),
                None => text.push_str("NULL"),
            }
            rest = at + format!("${}", param + 1).len();
        }
        text.push_str(self.sql.get(rest..).unwrap_or_default());
        text
    }
}

/// A query that is evaluated locally: a hash, a cluster's name or a connection string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalQuery {
    /// The text, with `$1`, `$2`, … and no casts.
    pub sql: Box<str>,
    /// The argument behind each parameter: `args[0]` is `$1`.
    pub args: Box<[usize]>,
    /// What there is to say of few queries only: sessions keep thousands.
    pub(crate) notes: Option<Box<Notes>>,
}

/// See [`LocalQuery`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Notes {
    pub(crate) rows: Vec<(String, usize)>,
    pub(crate) next_statement: Option<String>,
}

/// A `SELECT` given in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectTemplate {
    query: RemoteQuery,
    next_statement: Option<String>,
}

impl SelectTemplate {
    /// From the statement's text.
    pub(crate) fn new(sql: &Sql, signature: &Signature) -> Self {
        let mut text = Assembly::new(signature, true);
        text.push(sql);
        Self {
            query: text.remote(),
            next_statement: next_statement(sql, signature),
        }
    }

    /// The query, the same for every call.
    pub fn remote_query(&self) -> RemoteQuery {
        self.query.clone()
    }

    /// A word before which a `;` may be missing, if the query is wrong.
    pub fn next_statement(&self) -> Option<&str> {
        self.next_statement.as_deref()
    }
}

fn next_statement(sql: &Sql, signature: &Signature) -> Option<String> {
    let word = sql.next_statement(|name| signature.argument(name).is_some());
    word.map(str::to_owned)
}

/// A call built from the function's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTemplate {
    target: String,
    signature: Signature,
}

impl CallTemplate {
    /// A call of `target`, which is SQL text, with all of the function's arguments.
    pub(crate) fn new(target: String, signature: &Signature) -> Self {
        Self {
            target,
            // The name is in `target`, and sessions keep thousands of these.
            signature: Signature {
                schema: String::new(),
                name: String::new(),
                args: signature.args.clone(),
                returns: signature.returns.clone(),
                is_set: signature.is_set,
                procedure: signature.procedure.clone(),
            },
        }
    }

    /// The query. A function that returns `record` needs the columns that its caller expects; for others they
    /// are known, and `columns` is not looked at.
    pub fn remote_query(&self, columns: Option<&[Column]>) -> RemoteQuery {
        if let Some(procedure) = &self.signature.procedure {
            let mut text = Assembly::new(&self.signature, true);
            text.sql("call ");
            self.application(&mut text, &procedure.outputs);
            return text.remote();
        }
        self.of_function(columns)
    }

    /// The query of a function, which may be there in the place of a procedure.
    pub fn of_function(&self, columns: Option<&[Column]>) -> RemoteQuery {
        let mut text = Assembly::new(&self.signature, true);
        match &self.signature.returns {
            Returns::Void => self.call(&mut text, "r::void", " r"),
            Returns::Scalar(ty) => {
                self.call(&mut text, &result("r", ty), " r");
            }
            Returns::Row(columns) => self.call(&mut text, &result_list(columns), ""),
            Returns::Record => {
                let columns = columns.unwrap_or_default();
                let mut definition = String::from(" as (");
                for (i, column) in columns.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    let _ = write!(
                        definition,
                        "{comma}{} {}",
                        quote_ident(&column.name),
                        column.ty.sql
                    );
                }
                definition.push(')');
                self.call(&mut text, &result_list(columns), &definition);
            }
        }
        text.remote()
    }

    /// The function's name on the partitions, as SQL text.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The types of its arguments, as SQL text.
    pub fn argument_types(&self) -> impl Iterator<Item = &str> {
        self.signature.args.iter().map(|arg| arg.ty.sql.as_str())
    }

    /// The call as a value, its result whatever it may be.
    pub fn as_value(&self) -> RemoteQuery {
        let mut text = Assembly::new(&self.signature, true);
        text.sql("select ");
        self.application(&mut text, &[]);
        text.remote()
    }

    fn call(&self, text: &mut Assembly<'_>, results: &str, alias: &str) {
        text.sql("select ");
        text.sql(results);
        text.sql(" from ");
        self.application(text, &[]);
        text.sql(alias);
    }

    /// The target with its arguments. `outputs` are the places of those that are OUT only: a CALL has something there, too.
    fn application(&self, text: &mut Assembly<'_>, outputs: &[usize]) {
        text.sql(&self.target);
        text.sql("(");
        let mut args = 0..self.signature.args.len();
        for place in 0..args.len() + outputs.len() {
            if place > 0 {
                text.sql(",");
            }
            if outputs.contains(&place) {
                text.sql("NULL");
            } else if let Some(arg) = args.next() {
                text.argument(arg);
            }
        }
        text.sql(")");
    }

    /// Whether it calls a procedure.
    pub fn is_procedure(&self) -> bool {
        self.signature.procedure.is_some()
    }
}

fn result_list(columns: &[Column]) -> String {
    let mut list = String::new();
    for (i, column) in columns.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        let name = quote_ident(&column.name);
        // Writing to a String cannot fail.
        let _ = write!(list, "{comma}{}", result(&name, &column.ty));
        // What is no more than casts has the column's name already.
        if column.ty.names.is_some() {
            let _ = write!(list, " as {name}");
        }
    }
    list
}

/// A result as our type. Names of objects cross with their schemas.
fn result(name: &str, ty: &TypeName) -> String {
    let value = format!("{name}::{}", ty.sql);
    match ty.names {
        Some(names) => names.text(&value),
        None => value,
    }
}

impl LocalQuery {
    /// A call or expression behind `select` and whatever else `prefix` says.
    pub(crate) fn new(prefix: &str, sql: &Sql, signature: &Signature) -> Self {
        let mut text = Assembly::new(signature, false);
        text.sql(prefix);
        text.push(sql);
        text.local(next_statement(sql, signature))
    }

    /// A dotted identifier behind `select`: a field of an argument, or what the local server makes of it.
    pub(crate) fn of_name(name: &str, signature: &Signature) -> Self {
        let mut text = Assembly::new(signature, false);
        text.sql("select ");
        let qualifier = name.split('.').next().unwrap_or_default().trim_end();
        text.qualifier(qualifier);
        text.sql(name.strip_prefix(qualifier).unwrap_or_default());
        text.local(None)
    }

    /// The parameters that `name.field` may mean, each with the name. Where the text has a table of that name it does not.
    pub fn rows(&self) -> &[(String, usize)] {
        self.notes.as_ref().map_or(&[], |notes| &notes.rows)
    }

    /// A word before which a `;` may be missing, if the query is wrong.
    pub fn next_statement(&self) -> Option<&str> {
        self.notes.as_ref()?.next_statement.as_deref()
    }
}

/// Whether the next of these parts, but for gaps, is a dot.
fn is_followed_by_a_field(parts: &[Part]) -> bool {
    let next = parts.iter().find(|part| !matches!(part, Part::Gap(_)));
    next.is_some_and(|part| part.text().starts_with('.'))
}

/// A query's text in the making.
struct Assembly<'a> {
    signature: &'a Signature,
    casts: bool,
    query: String,
    args: Vec<usize>,
    mentions: Vec<(usize, usize)>,
    /// See [`LocalQuery::rows`].
    rows: Vec<(String, usize)>,
    /// The parameter that each argument has become.
    params: Vec<Option<usize>>,
}

impl<'a> Assembly<'a> {
    fn new(signature: &'a Signature, casts: bool) -> Self {
        Self {
            signature,
            casts,
            query: String::new(),
            args: Vec::new(),
            mentions: Vec::new(),
            rows: Vec::new(),
            params: vec![None; signature.args.len()],
        }
    }

    fn sql(&mut self, text: &str) {
        self.query.push_str(text);
    }

    /// The parameter that an argument becomes.
    fn param(&mut self, arg: usize) -> usize {
        if let Some(param) = self.params.get(arg).copied().flatten() {
            return param;
        }
        self.args.push(arg);
        let param = self.args.len() - 1;
        if let Some(slot) = self.params.get_mut(arg) {
            *slot = Some(param);
        }
        param
    }

    /// The first part of a dotted identifier. If it is the name of an argument, the rest may be a field of that.
    fn qualifier(&mut self, written: &str) {
        self.sql(written);
        let found = match written.strip_prefix('"').and_then(|w| w.strip_suffix('"')) {
            Some(quoted) => self.signature.exact_argument(&quoted.replace("\"\"", "\"")),
            None => self.signature.argument(written),
        };
        // What a partition is to make of it is not known here.
        if !self.casts
            && let Some(arg) = found
            && let Some(name) = self
                .signature
                .args
                .get(arg)
                .and_then(|arg| arg.name.clone())
        {
            let param = self.param(arg);
            if !self.rows.iter().any(|(_, known)| *known == param) {
                self.rows.push((name, param));
            }
        }
    }

    fn argument(&mut self, arg: usize) {
        let param = self.param(arg);
        self.mentions.push((self.query.len(), param));
        let _ = write!(self.query, "${}", param + 1);
        if self.casts
            && let Some(argument) = self.signature.args.get(arg)
        {
            self.sql("::");
            self.sql(&argument.ty.sql);
        }
    }

    fn push(&mut self, sql: &Sql) {
        let mut parts = sql.parts.iter();
        while let Some(part) = parts.next() {
            match part {
                Part::Text(text) | Part::Gap(text) => self.sql(text),
                Part::Qualifier(name) => self.qualifier(name),
                Part::Name(name) | Part::Param(name) => match self.signature.argument(name) {
                    // The cast must not take the field for a part of the type's name.
                    Some(arg) if self.casts && is_followed_by_a_field(parts.as_slice()) => {
                        self.sql("(");
                        self.argument(arg);
                        self.sql(")");
                    }
                    Some(arg) => self.argument(arg),
                    None => self.sql(name),
                },
            }
        }
    }

    fn local(self, next_statement: Option<String>) -> LocalQuery {
        let notes = Notes {
            rows: self.rows,
            next_statement,
        };
        LocalQuery {
            sql: self.query.into(),
            args: self.args.into(),
            notes: (notes != Notes::default()).then(|| Box::new(notes)),
        }
    }

    fn remote(self) -> RemoteQuery {
        RemoteQuery {
            sql: self.query,
            args: self.args,
            mentions: self.mentions,
        }
    }
}
