//! What an `EXECUTE` sends: a text that only the call knows, and arguments beside it.

use crate::ast::{Execute, QueryText as Tree};
use crate::ident::quote_literal;
use crate::lexer::{Lexer, SqlToken};
use crate::remote_query::LocalQuery;
use crate::signature::Signature;
use std::fmt::Write;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecuteTemplate {
    /// What gives the text.
    pub text: QueryText,
    /// The argument behind each parameter: `args[0]` is `$1`.
    pub args: Vec<usize>,
    /// Their types, as SQL text.
    types: Vec<String>,
}

/// Where the text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryText {
    /// It is the argument of this index.
    Argument(usize),
    /// It is evaluated for each call.
    Query(LocalQuery),
}

impl ExecuteTemplate {
    /// From the statement.
    pub(crate) fn new(tree: Execute, signature: &Signature) -> Self {
        let text = match tree.query {
            Tree::Reference(name) => match signature.argument(&name) {
                Some(arg) => QueryText::Argument(arg),
                None => QueryText::Query(LocalQuery::of_name(&name, signature)),
            },
            Tree::Call(sql) => QueryText::Query(LocalQuery::new("select ", &sql, signature)),
        };
        // The parser has seen to it that there are such arguments.
        let args = tree.using.iter();
        let args: Vec<usize> = args.filter_map(|name| signature.argument(name)).collect();
        let types = args.iter().filter_map(|arg| signature.args.get(*arg));
        Self {
            text,
            types: types.map(|arg| arg.ty.sql.clone()).collect(),
            args,
        }
    }

    /// A text with a literal in the place of each parameter, for people to read: `None` is NULL.
    pub fn filled(&self, text: &str, values: &[Option<String>]) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut lexer = Lexer::new(text);
        let mut copied = 0;
        loop {
            let start = lexer.position();
            match lexer.sql() {
                SqlToken::Broken(_) => break,
                SqlToken::Param(param) => {
                    let number = param.trim_start_matches('$').parse::<usize>().ok();
                    let known = number.and_then(|number| {
                        let at = number.checked_sub(1)?;
                        Some((values.get(at)?, self.types.get(at)?))
                    });
                    let Some((value, ty)) = known else { continue };
                    filled.push_str(text.get(copied..start).unwrap_or_default());
                    copied = lexer.position();
                    let value = match value {
                        Some(value) => quote_literal(value),
                        None => "NULL".to_owned(),
                    };
                    let rest = text.get(copied..).unwrap_or_default();
                    // The cast must not take the subscript for a part of the type's name.
                    let subscript = rest.trim_start().starts_with('[');
                    let (open, close) = if subscript { ("(", ")") } else { ("", "") };
                    // Writing to a String cannot fail.
                    let _ = write!(filled, "{open}{value}::{ty}{close}");
                }
                _ => {}
            }
        }
        filled.push_str(text.get(copied..).unwrap_or_default());
        filled
    }
}
