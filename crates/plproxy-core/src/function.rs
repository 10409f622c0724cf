//! What a function's body makes of it: where to run, and what.
//!
//! A [`Program`] is immutable and knows nothing of a call; it is compiled once and kept.

use crate::ast::{Cluster, Connect, RunOn as RunOnTree, Split, StatementKind};
pub use crate::error::CompileError;
pub use crate::execute::{ExecuteTemplate, QueryText};
use crate::parser::{Mention, parse_with};
pub use crate::remote_query::{CallTemplate, LocalQuery, RemoteQuery, SelectTemplate};
pub use crate::signature::{Argument, Column, Procedure, Returns, Signature, TypeName};

/// A compiled function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where to run.
    pub location: Location,
    /// The arguments to split, as indexes in the order of the arguments; none for a function without `SPLIT`.
    pub split: Vec<usize>,
    /// What to run.
    pub query: Query,
}

/// Where a function runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On one connection.
    Connect(Source),
    /// On partitions of a cluster.
    Cluster {
        /// The cluster's name.
        name: Source,
        /// Which of its partitions.
        run_on: RunOn,
    },
}

/// Where a connection string or a cluster's name comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It stands in the body.
    Literal(String),
    /// It is the argument of this index.
    Argument(usize),
    /// It is evaluated for each call.
    Query(LocalQuery),
}

/// Which partitions a call goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOn {
    /// All of them.
    All,
    /// All of them, and those that fail are left out.
    AllSkipFailed,
    /// A random one.
    Any,
    /// The one of this number.
    Number(i32),
    /// The one to which the argument of this index, a hash, is mapped.
    Argument(usize),
    /// Those to which the rows of a query, hashes, are mapped.
    Query(LocalQuery),
}

/// What a call sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// A call of the remote function.
    Call(CallTemplate),
    /// The body's own `SELECT`.
    Select(SelectTemplate),
    /// The text that the call's arguments give.
    Execute(ExecuteTemplate),
}

impl Query {
    /// Whether it casts its results to the local types. If not, only the partition knows of what types they are.
    pub fn casts_results(&self) -> bool {
        match self {
            Self::Call(call) => !call.is_procedure(),
            Self::Select(_) | Self::Execute(_) => false,
        }
    }
}

/// Compiles a body for a function of this signature.
pub fn compile(body: &str, signature: &Signature) -> Result<Program, CompileError> {
    let mut split = vec![false; signature.args.len()];
    let tree = parse_with(body, &mut |mention, line| {
        check(mention, line, signature, &mut split)
    })?;

    let mut connect = None;
    let mut cluster = None;
    let mut run_on = None;
    let mut target = None;
    let mut select = None;
    let mut execute = None;
    for statement in tree.statements {
        match statement.kind {
            StatementKind::Connect(tree) => connect = Some(connect_source(tree, signature)),
            StatementKind::Cluster(tree) => cluster = Some(cluster_source(tree, signature)),
            StatementKind::Run(tree) => run_on = Some(partitions(tree, signature)),
            StatementKind::Split(Split::All | Split::Arguments(_)) => {}
            StatementKind::Target(name) => target = Some(name),
            StatementKind::Select(sql) => select = Some(SelectTemplate::new(&sql, signature)),
            StatementKind::Execute(tree) => execute = Some(ExecuteTemplate::new(tree, signature)),
        }
    }

    if select.is_some() && signature.returns == Returns::Record {
        return Err(CompileError::whole(
            "SELECT statement not allowed for dynamic RECORD functions",
        ));
    }
    let on_all = matches!(run_on, Some(RunOn::All | RunOn::AllSkipFailed));
    let gives_nothing = signature.returns == Returns::Void;
    match &signature.procedure {
        None if on_all && !signature.is_set => {
            return Err(CompileError::whole(
                "RUN ON ALL requires set-returning function",
            ));
        }
        Some(_) if on_all && !gives_nothing => {
            return Err(CompileError::whole(
                "RUN ON ALL cannot be used in a procedure with OUT arguments",
            ));
        }
        Some(_) if split.contains(&true) && !gives_nothing => {
            return Err(CompileError::whole(
                "SPLIT cannot be used in a procedure with OUT arguments",
            ));
        }
        _ => {}
    }
    let location = match (connect, cluster) {
        (Some(source), _) => Location::Connect(source),
        (None, Some(name)) => Location::Cluster {
            name,
            run_on: run_on.unwrap_or(RunOn::Any),
        },
        (None, None) => return Err(CompileError::whole("CLUSTER statement missing")),
    };
    let query = match (select, execute) {
        (Some(select), _) => Query::Select(select),
        (None, Some(execute)) => Query::Execute(execute),
        (None, None) => {
            let target = target.unwrap_or_else(|| signature.qualified_name());
            Query::Call(CallTemplate::new(target, signature))
        }
    };
    let split = split
        .iter()
        .enumerate()
        .filter_map(|(i, s)| s.then_some(i))
        .collect();
    Ok(Program {
        location,
        split,
        query,
    })
}

/// Whether a mention names an argument; takes note of what is split.
fn check(
    mention: Mention<'_>,
    line: u32,
    signature: &Signature,
    split: &mut [bool],
) -> Result<(), CompileError> {
    let find = |reference: &str| {
        signature.argument(reference).ok_or_else(|| {
            CompileError::at(line, format!("invalid argument reference: {reference}"))
        })
    };
    let is_array = |arg: usize| signature.args.get(arg).is_some_and(|a| a.ty.is_array);
    match mention {
        Mention::Param(reference) | Mention::Using(reference) => {
            find(reference)?;
        }
        // A field of an argument is an expression.
        Mention::Execute(name) if name.contains('.') => {}
        Mention::Execute(reference) => {
            let arg = find(reference)?;
            let ty = signature.args.get(arg).map(|arg| arg.ty.sql.as_str());
            if !matches!(ty, Some("text" | "\"varchar\"")) {
                let message = format!("EXECUTE parameter is not text: {reference}");
                return Err(CompileError::whole(message));
            }
        }
        Mention::Split(reference) => {
            let arg = find(reference)?;
            if !is_array(arg) {
                let message = format!("SPLIT parameter is not an array: {reference}");
                return Err(CompileError::whole(message));
            }
            if let Some(slot) = split.get_mut(arg)
                && std::mem::replace(slot, true)
            {
                let message = format!("SPLIT parameter specified more than once: {reference}");
                return Err(CompileError::whole(message));
            }
        }
        Mention::SplitAll => {
            for (arg, slot) in split.iter_mut().enumerate() {
                *slot |= is_array(arg);
            }
        }
    }
    Ok(())
}

fn connect_source(tree: Connect, signature: &Signature) -> Source {
    match tree {
        Connect::Text(text) => Source::Literal(text),
        Connect::Reference(name) => match signature.argument(&name) {
            Some(arg) => Source::Argument(arg),
            None => Source::Query(LocalQuery::of_name(&name, signature)),
        },
        Connect::Call(sql) => Source::Query(LocalQuery::new("select * from ", &sql, signature)),
    }
}

fn cluster_source(tree: Cluster, signature: &Signature) -> Source {
    match tree {
        Cluster::Text(text) => Source::Literal(text),
        Cluster::Call(sql) => Source::Query(LocalQuery::new("select ", &sql, signature)),
    }
}

fn partitions(tree: RunOnTree, signature: &Signature) -> RunOn {
    match tree {
        RunOnTree::All => RunOn::All,
        RunOnTree::AllSkipFailed => RunOn::AllSkipFailed,
        RunOnTree::Any => RunOn::Any,
        RunOnTree::Number(number) => RunOn::Number(number),
        RunOnTree::Reference(name) => match signature.argument(&name) {
            Some(arg) => RunOn::Argument(arg),
            None => RunOn::Query(LocalQuery::of_name(&name, signature)),
        },
        RunOnTree::Call(sql) => RunOn::Query(LocalQuery::new("select * from ", &sql, signature)),
    }
}

impl Program {
    /// Which partitions of its cluster it runs on; `None` where it has a connection of its own.
    pub fn run_on(&self) -> Option<&RunOn> {
        match &self.location {
            Location::Connect(_) => None,
            Location::Cluster { run_on, .. } => Some(run_on),
        }
    }
}

#[cfg(test)]
mod tests;
