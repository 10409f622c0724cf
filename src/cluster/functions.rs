//! Clusters that the functions `plproxy.get_cluster_*` define.
#![forbid(unsafe_code)]

use super::author::Author;
use super::definition::{Definition, Origin, option_error, room as room_for, warn_of_ignored};
use crate::error::{Error, FunctionLabel, Report, sqlstate};
use crate::pg::expr::Arg;
use crate::pg::inval::{Changes, Dependency};
use crate::pg::proc::Proc;
use crate::pg::role;
use crate::pg::spi::{self, LocalRow, Plan};
use crate::recent::Recent;
use core::cell::{Cell, RefCell};
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::{options, room};
use std::rc::Rc;

/// The three queries, prepared once per session and role: a plan may have a function's body in the place of its call,
/// because this role may execute it.
struct Plans {
    version: Plan,
    config: Plan,
    partitions: Plan,
}

thread_local! {
    /// Who owns the function that gives the connection strings, as far as that is known, and what tells.
    static AUTHOR: RefCell<Option<(Author, [Dependency; 2])>> = const { RefCell::new(None) };
    static PLANS: RefCell<Recent<Oid, Rc<Plans>>> = RefCell::new(Recent::new(MOST_ROLES));
    static TRUSTED_ONLY: Cell<bool> = const { Cell::new(false) };
}

/// While it lives the functions are asked only where the current user has reason to trust who made them.
pub(crate) struct TrustedOnly {
    before: bool,
}

impl TrustedOnly {
    pub(crate) fn begin() -> Self {
        let before = TRUSTED_ONLY.replace(true);
        Self { before }
    }
}

impl Drop for TrustedOnly {
    fn drop(&mut self) {
        TRUSTED_ONLY.set(self.before);
    }
}

/// Roles whose plans are kept.
const MOST_ROLES: usize = 16;

/// Which of the three are not there.
const MISSING: &str = "select name from pg_catalog.unnest(pg_catalog.string_to_array('\
     plproxy.get_cluster_version(text) plproxy.get_cluster_config(text) plproxy.get_cluster_partitions(text)', ' ')) name \
     where pg_catalog.to_regprocedure(pg_catalog.replace(name, '(', '(pg_catalog.')) is null";

fn plans(name: &str, is_known: bool) -> Result<Rc<Plans>, Error> {
    let role = role::current();
    let prepared = PLANS.with_borrow_mut(|plans| plans.get(&role).cloned());
    if let Some(plans) = prepared.as_ref().filter(|_| is_known) {
        return Ok(Rc::clone(plans));
    }
    // A cluster that is known was read from them; should they be gone, their absence is the error.
    if !is_known {
        let mut missing = Vec::new();
        Plan::prepare(MISSING, &[])?.run(&[], |row| {
            missing.extend(row.value(1)?.map(spi::text).transpose()?);
            Ok(())
        })?;
        if !missing.is_empty() {
            return Err(not_found(name, &missing).into());
        }
    }
    if let Some(plans) = prepared {
        return Ok(plans);
    }
    let prepare = |sql| Plan::prepare(sql, &[pg_sys::TEXTOID]);
    let plans = Rc::new(Plans {
        version: prepare("select * from plproxy.get_cluster_version($1)")?,
        config: prepare("select * from plproxy.get_cluster_config($1)")?,
        partitions: prepare("select * from plproxy.get_cluster_partitions($1)")?,
    });
    let gone = PLANS.with_borrow_mut(|known| known.insert(role, Rc::clone(&plans)));
    // Only now, when the map is no longer borrowed: freeing plans goes through PostgreSQL.
    drop(gone);
    Ok(plans)
}

/// Whoever may create schemas in the database may have made these functions, which run with the rights of who asks. Each must be
/// there, and belong to a superuser or to the current user, and so must its schema, or its owner puts another one in its place
/// between this look and the call. Members of the owning role do not count as its owner: they may replace what is the role's.
fn check_owners(label: &FunctionLabel, name: &str) -> Result<(), Error> {
    const OWNERS: &str = "select name, p.proowner, n.nspowner \
         from pg_catalog.unnest(pg_catalog.string_to_array('\
             plproxy.get_cluster_config(text) plproxy.get_cluster_partitions(text) plproxy.get_cluster_version(text)', ' ')) name \
         left join (pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) p.pronamespace) \
             on p.oid operator(pg_catalog.=) pg_catalog.to_regprocedure(pg_catalog.replace(name, '(', '(pg_catalog.'))";
    let mut missing = Vec::new();
    let mut owners = Vec::new();
    Plan::prepare(OWNERS, &[])?.run(&[], |row| {
        let function = row.value(1)?.map(spi::text).transpose()?;
        let function = function.unwrap_or_default();
        let owner = |column| -> Result<_, Error> {
            Ok(row.value(column)?.map(|oid| Oid::from(oid.value() as u32)))
        };
        match owner(2)?.zip(owner(3)?) {
            Some((owner, of_schema)) => {
                owners.push((of_schema, format!("function {function} in a schema")));
                owners.push((owner, format!("function {function}")));
            }
            None => missing.push(function),
        }
        Ok(())
    })?;
    // What is there in part is of somebody, too.
    for (owner, what) in owners {
        if owner == role::current() || role::is_superuser(owner)? {
            continue;
        }
        let owner = role::find_name(owner)?.unwrap_or_default();
        let what = format_args!(
            "there is no foreign server \"{name}\", and {what} of role \"{owner}\" is not asked"
        );
        let hint = "The functions that define clusters run with the rights of who asks. They and their schema must belong to \
                    a superuser or to the current user.";
        let state = sqlstate::INSUFFICIENT_PRIVILEGE;
        return Err(label.error_with(state, what).hinted(hint));
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(not_found(name, &missing).into())
    }
}

/// There is no such server, and not all of the functions are there.
fn not_found(name: &str, missing: &[String]) -> Report {
    let mut report = Report::internal(format!("Pl/Proxy: cluster not found: {name}"));
    report.detail = match missing {
        [one] => Some(format!("Function {one} does not exist.")),
        [one, two] => Some(format!("Functions {one} and {two} do not exist.")),
        // There are no clusters of functions here at all.
        _ => None,
    };
    report
}

/// Forgets who wrote the connection strings, after a change of that function or its schema.
pub(crate) fn forget(changes: &Changes) {
    let stale = AUTHOR.with_borrow(|author| {
        let mut depends_on = author.iter().flat_map(|(_, depends_on)| depends_on);
        changes.touch(&mut depends_on)
    });
    if stale {
        drop(AUTHOR.take());
    }
}

/// Who wrote the connection strings: whose the function is that gives them, which is the one that the query finds.
fn author() -> Result<Author, Error> {
    const FUNCTION: &str = "select p.oid, n.nspowner from pg_catalog.pg_proc p \
         join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) p.pronamespace \
         where p.oid operator(pg_catalog.=) pg_catalog.to_regprocedure('plproxy.get_cluster_partitions(pg_catalog.text)')";
    if let Some(author) = AUTHOR.with_borrow(|known| known.as_ref().map(|(author, _)| *author)) {
        return Ok(author);
    }
    let mut function = None;
    Plan::prepare(FUNCTION, &[])?.run(&[], |row| {
        function = row.value(1)?.zip(row.value(2)?);
        Ok(())
    })?;
    let Some((function, schema_owner)) = function else {
        return Ok(Author::Other);
    };
    let oid = |value: Datum| Oid::from(value.value() as u32);
    let function = Proc::find(oid(function))?;
    let author = Author::Function {
        owner: function.owner,
        schema_owner: oid(schema_owner),
    };
    drop(AUTHOR.replace(Some((author, function.depends_on))));
    Ok(author)
}

/// The version of a cluster that the functions define.
pub(super) struct Version {
    number: i32,
    author: Author,
    plans: Rc<Plans>,
}

/// Asks for the version of a cluster.
pub(super) fn version(label: &FunctionLabel, name: &str, is_known: bool) -> Result<Version, Error> {
    if TRUSTED_ONLY.get() {
        check_owners(label, name)?;
    }
    let plans = plans(name, is_known)?;
    let arg = [Arg::Whole(Some(spi::text_datum(name)?))];
    let mut number = None;
    let rows = plans.version.run(&arg, |row| {
        if ![pg_sys::INT2OID, pg_sys::INT4OID, pg_sys::INT8OID].contains(&row.type_oid(1)) {
            return Err(label.error("get_version: expected an integer"));
        }
        number = row.value(1)?.map(|value| value.value() as i32);
        Ok(())
    })?;
    if rows != 1 {
        return Err(label.error(format_args!("get_version: got {rows} rows")));
    }
    let number = number.ok_or_else(|| label.error("get_version: got NULL?"))?;
    let author = author()?;
    Ok(Version {
        number,
        author,
        plans,
    })
}

impl Version {
    /// Whether that is what it was when the cluster was read.
    pub(super) fn is_of(&self, known: &Definition) -> bool {
        known.origin == Origin::Functions(self.number) && known.author == self.author
    }

    /// Reads the cluster.
    pub(super) fn load(self, label: &FunctionLabel, name: &str) -> Result<Definition, Error> {
        let arg = [Arg::Whole(Some(spi::text_datum(name)?))];
        let mut config = Vec::new();
        let mut size = 0;
        self.plans.config.run(&arg, |row| {
            if row.width() != 2 {
                return Err(label.error("Cluster config must have 2 columns"));
            }
            let (key, value) = (
                text(row, 1, "Config", label)?,
                text(row, 2, "Config", label)?,
            );
            size += [&key, &value]
                .into_iter()
                .flatten()
                .map(String::len)
                .sum::<usize>();
            room::push(&mut config, (key, value))?;
            Ok(())
        })?;
        let _room = room_for(0, size)?;
        let config = options::parse_config(&config).map_err(|error| option_error(label, error))?;
        warn_of_ignored(&config)?;

        let mut partitions = Vec::new();
        let mut size = 0;
        self.plans.partitions.run(&arg, |row| {
            let connstr = text(row, 1, "partition", label)?
                .ok_or_else(|| label.error("connstr must not be NULL"))?;
            size += connstr.len();
            room::push(&mut partitions, connstr)?;
            Ok(())
        })?;
        let _room = room_for(partitions.len(), size)?;
        options::check_partition_count(partitions.len(), config.modular_mapping)
            .map_err(|error| option_error(label, error))?;
        Definition::new(
            name.to_owned(),
            config,
            partitions,
            Origin::Functions(self.number),
            self.author,
            // Should a server of that name be made, it counts from then on.
            vec![Dependency::server(name)?],
        )
    }
}

/// A column that must be of type text.
fn text(
    row: &LocalRow,
    number: i32,
    what: &str,
    label: &FunctionLabel,
) -> Result<Option<String>, Error> {
    if row.type_oid(number) != pg_sys::TEXTOID {
        return Err(label.error(format_args!("{what} column {number} must be text")));
    }
    row.value(number)?.map(spi::text).transpose()
}
