//! Clusters that the functions `plproxy.get_cluster_*` define.
#![forbid(unsafe_code)]

use crate::cluster::{Cluster, Origin, option_error};
use crate::error::{Error, Report};
use crate::function::ProxyFunction;
use crate::pg::spi::{self, Plan};
use core::cell::RefCell;
use pgrx::pg_sys;
use plproxy_core::options;
use std::rc::Rc;

/// The three queries, prepared once per session and change of functions.
struct Plans {
    version: Plan,
    config: Plan,
    partitions: Plan,
}

thread_local! {
    static PLANS: RefCell<Option<Rc<Plans>>> = const { RefCell::new(None) };
}

/// After a change of functions: whether the three exist is looked at again.
pub(crate) fn forget() {
    drop(PLANS.take());
}

/// All three, or none.
const EXIST: &str = "select pg_catalog.to_regprocedure('plproxy.get_cluster_version(text)') is not null \
     and pg_catalog.to_regprocedure('plproxy.get_cluster_config(text)') is not null \
     and pg_catalog.to_regprocedure('plproxy.get_cluster_partitions(text)') is not null";

fn plans(name: &str) -> Result<Rc<Plans>, Error> {
    if let Some(plans) = PLANS.with_borrow(Clone::clone) {
        return Ok(plans);
    }
    let mut exist = false;
    Plan::prepare(EXIST, &[])?.run(&[], 0, |row| {
        exist = row.value(1)?.is_some_and(|value| value.value() & 1 != 0);
        Ok(())
    })?;
    if !exist {
        return Err(Report::internal(format!("Pl/Proxy: cluster not found: {name}")).into());
    }
    let prepare = |sql| Plan::prepare(sql, &[pg_sys::TEXTOID]);
    let plans = Rc::new(Plans {
        version: prepare("select * from plproxy.get_cluster_version($1)")?,
        config: prepare("select * from plproxy.get_cluster_config($1)")?,
        partitions: prepare("select * from plproxy.get_cluster_partitions($1)")?,
    });
    PLANS.replace(Some(Rc::clone(&plans)));
    Ok(plans)
}

/// The cluster of a name: the known one while its version stands, else read anew.
pub(crate) fn load(
    function: &ProxyFunction,
    name: &str,
    known: Option<&Rc<Cluster>>,
) -> Result<Rc<Cluster>, Error> {
    let plans = plans(name)?;
    let arg = [Some(spi::text_datum(name)?)];
    let label = &function.label;

    let mut version = None;
    plans.version.run(&arg, 0, |row| {
        version = row.value(1)?.map(|value| value.value() as i32);
        Ok(())
    })?;
    let version = version.ok_or_else(|| label.error("get_version: got NULL?"))?;
    if let Some(known) = known.filter(|known| known.origin == Origin::Functions(version)) {
        return Ok(Rc::clone(known));
    }

    let mut config = Vec::new();
    plans.config.run(&arg, 0, |row| {
        if row.width() < 2 {
            return Err(label.error("Cluster config must have 2 columns"));
        }
        config.push((row.text(1)?, row.text(2)?));
        Ok(())
    })?;
    let config = options::parse_config(&config).map_err(|error| option_error(label, error))?;

    let mut partitions = Vec::new();
    plans.partitions.run(&arg, 0, |row| {
        partitions.push(row.text(1)?.ok_or_else(|| label.error("partition connect string must not be NULL"))?);
        Ok(())
    })?;
    options::check_partition_count(partitions.len(), config.modular_mapping)
        .map_err(|error| option_error(label, error))?;
    Ok(Rc::new(Cluster::new(name.to_owned(), config, partitions, Origin::Functions(version))))
}
