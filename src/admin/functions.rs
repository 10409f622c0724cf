//! Whether the partitions have what proxy functions ask for.
//!
//! The remote statement is parsed there, not run: that finds missing functions, arguments and columns of other types, and
//! casts that do not exist. What parsing does not look at is asked for: the right to execute the function, and for a body's
//! own SELECT and a procedure, whose columns come as they are, whether their text can be read as the local types. What an EXECUTE
//! sends only a call knows.
#![forbid(unsafe_code)]

use super::output::{Output, Value};
use super::{Admin, beside, options};
use crate::cluster::{self, Cluster};
use crate::error::{Error, sqlstate, words};
use crate::function::signature::ResultType;
use crate::function::{self, ProxyFunction};
use crate::location;
use crate::pg::allocator;
use crate::pg::called::AsCalled;
use crate::pg::encoding;
use crate::pg::expr::Arg;
use crate::pg::fcinfo::CallInfo;
use crate::pg::spi::{self, Plan};
use crate::pg::xact;
use crate::type_cache;
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::function::{CallTemplate, Query};
use plproxy_core::ident::quote_literal;
use plproxy_core::result_map;
use plproxy_remote::{
    ColumnDescription, Encoding, ErrorKind, Script, ScriptOptions, Step, StepResult, Target,
};
use std::rc::Rc;

/// `plproxy_check_function(function regprocedure) → setof record`. What a call evaluates to find the cluster is evaluated as a
/// call would.
pub(crate) fn check_one(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let oid = admin.function(0)?;
    let function = admin.proxy_function(oid)?;
    if !location::is_fixed(&function) {
        let what = format_args!(
            "where {} goes depends on its arguments",
            function.label.name
        );
        let error = admin
            .label
            .error_with(sqlstate::FEATURE_NOT_SUPPORTED, what);
        return Err(error);
    }
    let findings = {
        let _called = AsCalled::of(oid)?;
        let cluster = location::find(&function, &[])?;
        admin.check(&cluster, &[function])?
    };
    let mut output = Output::new(admin.info)?;
    for finding in findings {
        let [ok, problem] = finding.found.values();
        output.row([Value::int4(finding.partition), ok, problem])?;
    }
    Ok(output.give(admin.info))
}

/// `plproxy_check_functions(cluster text) → setof record`: the same for all functions whose body names the cluster. Nothing is
/// evaluated: who asks about one cluster is not to run what somebody else has put into the body of another's function. One that
/// cannot be compiled has a row without a partition.
pub(crate) fn check_all(info: &mut CallInfo) -> Result<Datum, Error> {
    const ALL: &str = "select p.oid from pg_catalog.pg_proc p \
         join pg_catalog.pg_language l on l.oid operator(pg_catalog.=) p.prolang \
         where l.lanname operator(pg_catalog.=) 'plproxy' \
         order by p.oid::pg_catalog.regprocedure::pg_catalog.text";
    let admin = Admin::begin(info)?;
    let name = admin.cluster_name()?;
    let cluster = cluster::named(&admin.label, &name)?;
    let mut oids = Vec::new();
    Plan::prepare(ALL, &[])?.run(&[], |row| {
        oids.extend(row.value(1)?.map(|value| Oid::from(value.value() as u32)));
        Ok(())
    })?;
    let mut output = Output::new(admin.info)?;
    let mut functions = Vec::new();
    for oid in oids {
        match xact::attempt(|| function::find(oid))? {
            Ok(function) if location::literal_name(&function) == Some(&name) => {
                functions.push((oid, function));
            }
            Ok(_) => (),
            Err(problem) => output.row([
                Value::Oid(oid),
                Value::Null,
                Value::Bool(false),
                Value::Text(problem),
            ])?,
        }
    }
    let (oids, functions): (Vec<_>, Vec<_>) = functions.into_iter().unzip();
    let mut findings = admin.check(&cluster, &functions)?;
    findings.sort_by_key(|finding| (finding.function, finding.partition));
    for finding in findings {
        let oid = oids.get(finding.function);
        let [ok, problem] = finding.found.values();
        output.row([
            oid.map_or(Value::Null, |oid| Value::Oid(*oid)),
            Value::int4(finding.partition),
            ok,
            problem,
        ])?;
    }
    Ok(output.give(admin.info))
}

/// So many copies are there at the most while a statement is made.
const COPIES: usize = 4;

/// What was found of one function on one partition.
struct Finding {
    /// Its place in the list.
    function: usize,
    partition: usize,
    found: Found,
}

/// What was found of a function.
#[derive(Clone)]
enum Found {
    Good,
    Bad(String),
    /// There is nothing to be parsed: the statement comes with the call.
    Unknown,
}

impl Found {
    fn of(problem: Option<String>) -> Self {
        problem.map_or(Self::Good, Self::Bad)
    }

    /// The columns `ok` and `problem`.
    fn values(self) -> [Value; 2] {
        match self {
            Self::Good => [Value::Bool(true), Value::Null],
            Self::Bad(problem) => [Value::Bool(false), Value::Text(problem)],
            Self::Unknown => {
                let why = "what EXECUTE sends depends on the call";
                [Value::Null, Value::Text(why.to_owned())]
            }
        }
    }
}

impl Admin<'_> {
    /// The proxy function of an OID, if the caller may execute it.
    pub(super) fn proxy_function(&self, oid: Oid) -> Result<Rc<ProxyFunction>, Error> {
        const FACTS: &str = "select l.lanname::pg_catalog.text, \
             pg_catalog.has_function_privilege(p.oid, 'EXECUTE'), \
             p.oid::pg_catalog.regprocedure::pg_catalog.text \
             from pg_catalog.pg_proc p \
             join pg_catalog.pg_language l on l.oid operator(pg_catalog.=) p.prolang \
             where p.oid operator(pg_catalog.=) $1";
        let mut facts = None;
        Plan::prepare(FACTS, &[pg_sys::OIDOID])?.run(
            &[Arg::Whole(Some(Datum::from(oid)))],
            |row| {
                let text = |column| row.value(column)?.map(spi::text).transpose();
                let may = row.value(2)?.is_some_and(|value| value.value() & 1 != 0);
                facts = Some((text(1)?, may, text(3)?.unwrap_or_default()));
                Ok(())
            },
        )?;
        let (sqlstate, what) = match facts {
            Some((language, true, _)) if language.as_deref() == Some("plproxy") => {
                return function::find(oid);
            }
            Some((_, false, name)) => (
                sqlstate::INSUFFICIENT_PRIVILEGE,
                format!("permission denied for function {name}"),
            ),
            Some((_, true, name)) => (
                sqlstate::WRONG_OBJECT_TYPE,
                format!("{name} is not a function in language plproxy"),
            ),
            None => (
                sqlstate::UNDEFINED_OBJECT,
                format!("function with OID {} does not exist", oid.to_u32()),
            ),
        };
        Err(self.label.error_with(sqlstate, what))
    }

    /// Checks functions on all partitions of a cluster, by one new connection to each.
    fn check(
        &self,
        cluster: &Cluster,
        functions: &[Rc<ProxyFunction>],
    ) -> Result<Vec<Finding>, Error> {
        let partitions = self.partitions(cluster)?;
        let options = ScriptOptions {
            go_on: true,
            ..options(cluster)
        };
        let mut statements = Vec::with_capacity(functions.len());
        for function in functions {
            let _room = function.room(COPIES)?;
            statements.push(Step::Describe(encoding::sql(&statement(function))?));
            // In the place of a procedure there may be a function.
            if let Some(call) = procedure(function) {
                let of_function = encoding::sql(&call.of_function(None).sql)?;
                statements.push(Step::Describe(of_function));
            }
        }
        let scripts = partitions
            .iter()
            .filter_map(|partition| partition.endpoint.as_ref().ok())
            .map(|endpoint| Script {
                target: Target::New(Rc::clone(endpoint)),
                steps: statements.clone(),
            })
            .collect();
        let parsed = self.run(scripts, &options)?;

        let mut findings = Vec::new();
        let mut asking = Vec::new();
        let mut asked = Vec::new();
        for (partition, outcome) in beside(&partitions, parsed) {
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(why) => {
                    findings.extend(everywhere(functions, partition.number, &why));
                    continue;
                }
            };
            if let Err(kind) = &outcome.connection {
                findings.extend(everywhere(functions, partition.number, &words(kind)));
                continue;
            }
            let endpoint = partition.endpoint.as_ref().ok();
            let spoken = endpoint.and_then(|endpoint| endpoint.encoding());
            let spoken = spoken.unwrap_or_else(encoding::database);
            let mut steps = Vec::new();
            let mut asks = Vec::new();
            let mut results = outcome.steps.into_iter().map(|step| step.result);
            for (number, function) in functions.iter().enumerate() {
                allocator::check()?;
                let mut result = results.next();
                let mut is_procedure = procedure(function).is_some();
                if is_procedure
                    && let Some(Ok(of_function)) = results.next()
                    && matches!(result, Some(Err(_)))
                {
                    (result, is_procedure) = (Some(Ok(of_function)), false);
                }
                let found = match result {
                    Some(Ok(_)) if matches!(function.program.query, Query::Execute(_)) => {
                        Found::Unknown
                    }
                    Some(Ok(StepResult::Described(columns))) => {
                        let columns = columns.as_deref().unwrap_or_default();
                        match question(function, is_procedure, columns, spoken)? {
                            Ok(question) => {
                                steps.push(Step::Statement(encoding::sql(&question)?));
                                asks.push(findings.len());
                                Found::Good
                            }
                            Err(problem) => Found::Bad(problem),
                        }
                    }
                    Some(Ok(StepResult::Ran { .. })) => Found::Good,
                    Some(Err(kind)) => Found::Bad(words(&kind)),
                    None => Found::Bad(words(&ErrorKind::Closed)),
                };
                findings.push(Finding {
                    function: number,
                    partition: partition.number,
                    found,
                });
            }
            if let (Some(session), false) = (outcome.session, steps.is_empty()) {
                let target = Target::Session(session);
                asking.push(Script { target, steps });
                asked.push(asks);
            }
        }
        for (outcome, asks) in self.run(asking, &options)?.into_iter().zip(asked) {
            let mut results = outcome.steps.into_iter().map(|step| step.result);
            for finding in asks {
                if let Some(finding) = findings.get_mut(finding) {
                    finding.found = Found::of(match results.next() {
                        Some(Ok(StepResult::Ran { value, .. })) => value.flatten(),
                        Some(Ok(StepResult::Described(_))) => None,
                        Some(Err(kind)) => Some(words(&kind)),
                        None => Some(words(&ErrorKind::Closed)),
                    });
                }
            }
        }
        // Partitions of the same connection string are one, and so is what was found of them.
        let mut all = Vec::new();
        for (number, first) in cluster.same_as.iter().enumerate() {
            allocator::check()?;
            let found = findings
                .iter()
                .filter(|finding| finding.partition == *first);
            all.extend(found.map(|finding| Finding {
                function: finding.function,
                partition: number,
                found: finding.found.clone(),
            }));
        }
        Ok(all)
    }
}

/// The same problem of all functions.
fn everywhere(
    functions: &[Rc<ProxyFunction>],
    partition: usize,
    problem: &str,
) -> impl Iterator<Item = Finding> {
    (0..functions.len()).map(move |function| Finding {
        function,
        partition,
        found: Found::Bad(problem.to_owned()),
    })
}

/// The call of a procedure.
fn procedure(function: &ProxyFunction) -> Option<&CallTemplate> {
    match &function.program.query {
        Query::Call(call) => Some(call).filter(|call| call.is_procedure()),
        Query::Select(_) | Query::Execute(_) => None,
    }
}

/// The statement that calls send, as far as it is known. One that gets its columns from the caller is checked for the function alone.
fn statement(function: &ProxyFunction) -> String {
    match (&function.program.query, &function.result) {
        (Query::Call(call), ResultType::Record) => call.as_value().sql,
        (Query::Call(call), _) => call.remote_query(None).sql,
        (Query::Select(select), _) => select.remote_query().sql,
        // Whether the partition can be reached.
        (Query::Execute(_), _) => "select".to_owned(),
    }
}

/// What else to ask the partition: a statement that gives the problem if there is one. Or a problem that is clear already.
fn question(
    function: &ProxyFunction,
    is_procedure: bool,
    columns: &[ColumnDescription],
    spoken: Encoding,
) -> Result<Result<String, String>, Error> {
    let right = match &function.program.query {
        Query::Call(call) if is_procedure => Some(may_execute(call, is_procedure)),
        Query::Call(call) => return Ok(Ok(may_execute(call, is_procedure))),
        Query::Select(_) | Query::Execute(_) => None,
    };
    if right.is_some() && columns.is_empty() {
        return Ok(Ok(right.unwrap_or_default()));
    }
    let names = columns
        .iter()
        .map(|column| encoding::name(&column.name, spoken));
    let names = names.collect::<Result<Vec<_>, Error>>()?;
    let pairs: Vec<(String, String, u32)> = match &function.result {
        ResultType::Row(row_type, _) => {
            let local: Vec<&str> = row_type
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            let places = match result_map::map(&local, &names) {
                Ok(places) => places,
                Err(problem) => return Ok(Err(problem.to_string())),
            };
            let mut pairs = Vec::new();
            for (column, place) in row_type.columns.iter().zip(places) {
                if let Some(remote) = columns.get(place) {
                    let info = type_cache::type_info(column.type_oid)?;
                    pairs.push((column.name.clone(), info.sql.clone(), remote.type_oid));
                }
            }
            pairs
        }
        ResultType::Scalar(info) => {
            if let Err(problem) = result_map::single(names.len()) {
                return Ok(Err(problem.to_string()));
            }
            columns
                .first()
                .map(|column| ("result".to_owned(), info.sql.clone(), column.type_oid))
                .into_iter()
                .collect()
        }
        // What a procedure gives beyond what is wanted is of no interest.
        ResultType::Void if right.is_some() => Vec::new(),
        ResultType::Void => match result_map::single(names.len()) {
            Ok(()) => Vec::new(),
            Err(problem) => return Ok(Err(problem.to_string())),
        },
        ResultType::Record => Vec::new(),
    };
    let types = types_fit(&pairs);
    Ok(Ok(match right {
        Some(right) => format!("select coalesce(({right}), ({types}))"),
        None => types,
    }))
}

/// Asks whether the function may be executed. Where no function has just these argument types, PostgreSQL picks one by its
/// rules; then it is enough that one of that name and number of arguments may be.
fn may_execute(call: &CallTemplate, is_procedure: bool) -> String {
    let types: Vec<&str> = call.argument_types().collect();
    // A procedure has the right of a function, and is found as one.
    let (kind, is) = match is_procedure {
        true => ("procedure", "="),
        false => ("function", "<>"),
    };
    let target = quote_literal(call.target());
    let exact = quote_literal(&format!("{}({})", call.target(), types.join(",")));
    let count = types.len();
    format!(
        "select 'permission denied for {kind} ' operator(pg_catalog.||) {target} \
         from pg_catalog.parse_ident({target}) n, pg_catalog.pg_proc p \
         join pg_catalog.pg_namespace s on s.oid operator(pg_catalog.=) p.pronamespace \
         where p.proname operator(pg_catalog.=) n[pg_catalog.array_upper(n, 1)] \
         and p.prokind operator(pg_catalog.{is}) 'p' \
         and case when pg_catalog.array_upper(n, 1) operator(pg_catalog.>) 1 \
             then s.nspname operator(pg_catalog.=) n[1] \
             else pg_catalog.pg_function_is_visible(p.oid) end \
         and case when pg_catalog.to_regprocedure({exact}) is not null \
             then p.oid operator(pg_catalog.=) pg_catalog.to_regprocedure({exact}) \
             else {count} operator(pg_catalog.>=) (p.pronargs operator(pg_catalog.-) p.pronargdefaults) \
             and {count} operator(pg_catalog.<=) p.pronargs end \
         having pg_catalog.count(*) operator(pg_catalog.>) 0 \
         and not pg_catalog.bool_or(pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))"
    )
}

/// Asks which columns have types whose text the local types do not read. Strings can hold, and be read as, anything.
fn types_fit(pairs: &[(String, String, u32)]) -> String {
    if pairs.is_empty() {
        return "select null".to_owned();
    }
    let rows: Vec<String> = pairs
        .iter()
        .map(|(name, local, remote)| {
            let (name, local) = (quote_literal(name), quote_literal(local));
            format!("({name}, {local}, {remote}::pg_catalog.oid)")
        })
        .collect();
    let rows = rows.join(", ");
    format!(
        "select pg_catalog.string_agg(pg_catalog.format('column %s is %s, not %s', v.name, \
             pg_catalog.format_type(r.oid, -1), pg_catalog.format_type(l.oid, -1)), '; ') \
         from (values {rows}) v (name, local, remote) \
         join pg_catalog.pg_type r on r.oid operator(pg_catalog.=) v.remote \
         join pg_catalog.pg_type l on l.oid operator(pg_catalog.=) pg_catalog.to_regtype(v.local) \
         where r.oid operator(pg_catalog.<>) l.oid \
         and r.typcategory operator(pg_catalog.<>) all ('{{S,X}}'::pg_catalog.\"char\"[]) \
         and l.typcategory operator(pg_catalog.<>) all ('{{S,X}}'::pg_catalog.\"char\"[]) \
         and (r.typcategory operator(pg_catalog.<>) l.typcategory \
             or r.typcategory operator(pg_catalog.=) any ('{{U,G,E,R}}'::pg_catalog.\"char\"[]) \
             and r.typname operator(pg_catalog.<>) l.typname)"
    )
}
