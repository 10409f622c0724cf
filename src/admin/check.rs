//! Whether a cluster's partitions can be reached.
#![forbid(unsafe_code)]

use super::output::{Output, Value};
use super::{Admin, beside, options};
use crate::error::{Error, words};
use crate::pg::fcinfo::CallInfo;
use crate::remote::CONNECT_TIMEOUT;
use pgrx::pg_sys::Datum;
use plproxy_remote::{Outcome, Script, ScriptOptions, Step, StepResult, Target};
use std::collections::HashMap;

/// `plproxy_check_cluster(cluster text) → setof record`: a row for each partition, by new connections.
pub(crate) fn cluster(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let cluster = admin.cluster()?;
    let partitions = admin.partitions(&cluster)?;
    let scripts = partitions
        .iter()
        .filter_map(|partition| partition.endpoint.as_ref().ok())
        .map(|endpoint| Script {
            target: Target::New(endpoint.clone()),
            steps: vec![Step::Run("select pg_catalog.pg_is_in_recovery()".into())],
        })
        .collect();
    let options = ScriptOptions {
        time_limit: Some(cluster.config.connect_timeout.unwrap_or(CONNECT_TIMEOUT)),
        ..options(&cluster)
    };
    let outcomes = admin.run(scripts, &options)?;
    let found: HashMap<_, _> = beside(&partitions, outcomes)
        .map(|(partition, outcome)| (partition.number, (partition, outcome)))
        .collect();
    let mut output = Output::new(admin.info)?;
    // Partitions of the same connection string are one, and so is what was found of them.
    for (number, first) in cluster.same_as.iter().enumerate() {
        let Some((partition, outcome)) = found.get(first) else {
            continue;
        };
        let endpoint = partition.endpoint.as_ref().ok();
        let connection = outcome
            .as_ref()
            .ok()
            .and_then(|o| o.connection.as_ref().ok());
        let answer = answer(outcome);
        let port = match connection {
            Some(connection) => connection.shown.port,
            None => endpoint.and_then(|endpoint| endpoint.port()),
        };
        output.row([
            Value::int4(number),
            Value::text(match connection {
                Some(connection) => Some(connection.shown.host.clone()),
                None => endpoint.map(|endpoint| endpoint.hosts()),
            }),
            port.map_or(Value::Null, Value::int4),
            Value::text(endpoint.map(|endpoint| endpoint.label().to_string())),
            Value::text(endpoint.map(|endpoint| endpoint.user())),
            Value::Bool(answer.is_ok()),
            answer
                .as_ref()
                .map_or(Value::Null, |(_, took)| Value::Float8(*took)),
            Value::text(connection.map(|connection| connection.server_version.clone())),
            answer
                .as_ref()
                .map_or(Value::Null, |(in_recovery, _)| Value::Bool(*in_recovery)),
            Value::text(answer.err()),
        ])?;
    }
    Ok(output.give(admin.info))
}

/// Whether the server is in recovery, and the milliseconds that the answer took; or what went wrong.
fn answer(outcome: &Result<Outcome, String>) -> Result<(bool, f64), String> {
    let outcome = outcome.as_ref().map_err(Clone::clone)?;
    let done = outcome.last().map_err(words)?;
    let took = outcome.steps.last().map_or(0.0, |step| {
        (step.took.as_secs_f64() * 1_000_000.0).round() / 1000.0
    });
    match done {
        StepResult::Ran {
            value: Some(Some(value)),
            ..
        } => Ok((value == "t", took)),
        _ => Err("server did not answer a question about itself".to_owned()),
    }
}
