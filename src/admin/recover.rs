//! The end of what lost sessions left prepared on partitions.
//!
//! Two questions for each partition: what is prepared there, and what became of the transactions that were decided to be committed
//! and are not. A partition's answers count for that partition only.
#![forbid(unsafe_code)]

use super::output::{Output, Value};
use super::prepared::Listed;
use super::{Admin, Operator, Partition, beside, options};
use crate::cluster::{self, Cluster};
use crate::error::{Error, FunctionLabel, Report, sqlstate, words};
use crate::function;
use crate::pg::fcinfo::CallInfo;
use crate::pg::lock::{self, Kind};
use crate::pg::report::{Level, emit};
use crate::pg::xact;
use crate::transaction::decisions::{Decision, Decisions};
use crate::transaction::gid::{Gid, Name};
use crate::transaction::instance::Instance;
use crate::transaction::pending::is_own;
use crate::transaction::second_phase::Verb;
use crate::transaction::site::{self, Site};
use crate::transaction::status::Status;
use pgrx::pg_sys::Datum;
use plproxy_core::hash::siphash;
use plproxy_core::ident::quote_literal;
use plproxy_remote::{ErrorKind, Script, ScriptOptions, Step, Target};
use std::collections::HashMap;
use std::rc::Rc;

/// How the server of version 3.0.0 is called, whose names do not tell it from its copies.
const OLD: &str = "3.0.0";

/// What was done about a transaction, or what is wrong with a partition.
pub(super) struct Action {
    pub(super) partition: usize,
    pub(super) gid: Option<String>,
    pub(super) what: String,
}

/// A step of a script.
enum Task<'a> {
    /// To end what is prepared.
    End(String, Verb),
    /// To ask what became of what is not.
    Ask(&'a Decision),
}

/// What is to become of a prepared transaction.
enum Verdict {
    End(Verb),
    Leave(String),
}

/// `plproxy_recover_prepared(cluster text [, lost_server text]) → setof record`.
pub(crate) fn recover(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let cluster = admin.cluster()?;
    admin.check_recovery()?;
    let this = Instance::this()?;
    let lost = match admin.info.nargs() {
        1 => None,
        _ => Some(admin.lost_server(&this)?),
    };
    let mut output = Output::new(admin.info)?;
    for action in recover_cluster(&admin, &cluster, this, lost)? {
        output.row([
            Value::int4(action.partition),
            Value::text(action.gid),
            Value::Text(action.what),
        ])?;
    }
    Ok(output.give(admin.info))
}

/// The same without the function, which a name might find somebody else's of. By partition and name.
pub(super) fn by_itself(cluster: &str) -> Result<Vec<Action>, Error> {
    function::refresh()?;
    let operator = Operator::new(FunctionLabel {
        name: "plproxy_recover_prepared".into(),
        nargs: 1,
    });
    let cluster = cluster::named(&operator.label, cluster)?;
    operator.check_recovery()?;
    recover_cluster(&operator, &cluster, Instance::this()?, None)
}

fn recover_cluster(
    operator: &Operator,
    cluster: &Cluster,
    this: Instance,
    lost: Option<Lost>,
) -> Result<Vec<Action>, Error> {
    let decisions = Decisions::open(Some(&operator.label))?;
    let recovery = Recovery {
        made_by: decisions.made_by()?,
        decisions,
        admin: operator,
        cluster,
        this,
        lost,
    };
    recovery.run()
}

/// A server whose transactions are to be ended here, as it is gone for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Server(u64),
    Old,
}

impl Operator {
    /// All decisions must be seen, and all sessions that may still make one.
    fn check_recovery(&self) -> Result<(), Error> {
        let what = if xact::in_recovery() {
            "prepared transactions cannot be recovered on a standby server"
        } else if !xact::sees_later_commits() {
            "prepared transactions can only be recovered in a READ COMMITTED transaction"
        } else {
            return xact::prevent_if_read_only(c"plproxy_recover_prepared()");
        };
        let state = sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE;
        Err(self.label.error_with(state, what))
    }
}

impl Admin<'_> {
    fn lost_server(&self, this: &Instance) -> Result<Lost, Error> {
        let name = self.text(1, "lost_server")?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let number = Some(name.as_str());
        let number = number.filter(|name| name.len() == 16 && name.bytes().all(is_digit));
        let what = match number.and_then(|name| u64::from_str_radix(name, 16).ok()) {
            Some(server) if server == this.server => "this is the server itself that is to be lost",
            Some(server) => return Ok(Lost::Server(server)),
            None if name == OLD => return Ok(Lost::Old),
            None => "a server is called by 16 hexadecimal digits, as the recovery tells them",
        };
        let state = sqlstate::INVALID_PARAMETER_VALUE;
        Err(self.label.error_with(state, what))
    }
}

struct Recovery<'a> {
    admin: &'a Operator,
    cluster: &'a Cluster,
    decisions: Decisions,
    this: Instance,
    lost: Option<Lost>,
    /// The transaction that carried rows over from version 3.0.0, if any were.
    made_by: Option<u32>,
}

impl Recovery<'_> {
    fn run(&self) -> Result<Vec<Action>, Error> {
        // Another one would get in the way.
        let number = siphash(self.cluster.name.as_bytes()).cast_unsigned();
        lock::lock(Kind::Recovery, number)?;
        // Before the partitions are asked: what is decided after that may be on none of the lists. Clusters may share partitions.
        let decisions = self.decisions.rows()?;
        let partitions = self.admin.partitions(self.cluster)?;
        let mut actions = Vec::new();
        let listed = self.list(&partitions, &mut actions)?;
        let mut tasks: Vec<Vec<Task<'_>>> = Vec::with_capacity(listed.len());
        for place in &listed {
            let mut of_place = Vec::new();
            for gid in &place.prepared {
                match self.decide(gid, &decisions)? {
                    Some(Verdict::End(verb)) => of_place.push(Task::End(gid.clone(), verb)),
                    Some(Verdict::Leave(what)) => {
                        actions.push(action(place.partition, gid, what));
                    }
                    None => {}
                }
            }
            tasks.push(of_place);
        }
        for decision in decisions.iter().filter(|row| self.is_of_cluster(row)) {
            self.look_into(decision, &partitions, &listed, &mut tasks, &mut actions)?;
        }
        self.carry_out(listed, tasks, &decisions, &mut actions)?;
        actions.sort_by(|a, b| (a.partition, &a.gid).cmp(&(b.partition, &b.gid)));
        Ok(actions)
    }

    /// What is to become of a prepared transaction; `None` if it is none of ours.
    fn decide(&self, gid: &str, decisions: &[Decision]) -> Result<Option<Verdict>, Error> {
        let leave = |what: &str| Ok(Some(Verdict::Leave(what.to_owned())));
        let is_decided = |name: &Gid| decisions.iter().any(|decision| decision.is_of(name));
        let verb = match Name::read(gid, &self.this) {
            None => return Ok(None),
            Some(Name::Own(_)) if is_own(gid) => return leave("in progress"),
            // The lock before the log: who had it has made the decision.
            Some(Name::Own(name)) if !lock::is_free(Kind::Transaction, name.transaction)? => {
                return leave("in progress");
            }
            Some(Name::Own(name)) => match Status::here(name.transaction)? {
                // In a data directory that was put back to an earlier state numbers are given again. Or it was decided just now.
                Status::Committed if !is_decided(&name) && !self.decisions.has(&name)? => {
                    return leave("decision missing");
                }
                Status::Committed => Verb::Commit,
                Status::RolledBack => Verb::Rollback,
                Status::InProgress => return leave("in progress"),
                Status::Unknown if is_decided(&name) => Verb::Commit,
                Status::Unknown => return leave("too old to tell what was decided"),
            },
            Some(Name::Other(name)) if self.lost == Some(Lost::Server(name.of.server)) => {
                match Status::here(name.transaction)? {
                    _ if is_decided(&name) => Verb::Commit,
                    // Its number may be another's in this server's history, or somebody has deleted the decision.
                    Status::Committed => return leave("decision missing"),
                    Status::Unknown => return leave("too old to tell what was decided"),
                    Status::RolledBack | Status::InProgress => Verb::Rollback,
                }
            }
            Some(Name::Other(name)) => return leave(&format!("of server {:016x}", name.of.server)),
            Some(Name::Old) if self.is_carried_over(gid, decisions) => Verb::Commit,
            Some(Name::Old) if self.lost != Some(Lost::Old) => {
                return leave(&format!("of server {OLD}"));
            }
            // There is a row, and it cannot be told who wrote it.
            Some(Name::Old) if decisions.iter().any(|row| row.gid == gid) => {
                return leave("decision missing");
            }
            Some(Name::Old) => Verb::Rollback,
        };
        Ok(Some(Verdict::End(verb)))
    }

    fn is_of_cluster(&self, decision: &Decision) -> bool {
        decision.cluster == self.cluster.name
    }

    fn is_carried_over(&self, gid: &str, decisions: &[Decision]) -> bool {
        let mut of_gid = decisions.iter().filter(|decision| decision.gid == gid);
        of_gid.any(|decision| decision.is_carried_over(self.made_by))
    }

    /// Sees to a decision whose transaction is not prepared any more.
    fn look_into<'d>(
        &self,
        decision: &'d Decision,
        partitions: &[Partition],
        listed: &[Listed],
        tasks: &mut [Vec<Task<'d>>],
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let is_carried_over = decision.is_carried_over(self.made_by);
        let is_ours = match Name::read(&decision.gid, &self.this) {
            Some(Name::Own(name)) => decision.is_of(&name),
            Some(Name::Other(name)) if decision.is_of(&name) => {
                if self.lost != Some(Lost::Server(name.of.server)) {
                    let what = format!("decided on server {:016x}", name.of.server);
                    let is_listed = |place: &Listed| place.prepared.contains(&decision.gid);
                    if !listed.iter().any(is_listed) {
                        actions.push(action(decision.partition, &decision.gid, what));
                    }
                    return Ok(());
                }
                true
            }
            Some(Name::Old) => is_carried_over,
            _ => false,
        };
        // Somebody else's rows are nothing to us, nor is what this transaction itself is at.
        if !is_ours || is_own(&decision.gid) {
            return Ok(());
        }
        let is_there = |place: &Listed| {
            is_carried_over && place.partition == decision.partition
                || place.site.address == decision.address && place.site.server() == decision.server
        };
        let is_successor = |place: &Listed| {
            place.partition == decision.partition && place.site.succeeds(&decision.server)
        };
        let (place, is_there) = match listed.iter().position(is_there) {
            Some(place) => (place, true),
            None => match listed.iter().position(is_successor) {
                Some(place) => (place, false),
                None => return Self::tell_of_absence(decision, partitions, listed, actions),
            },
        };
        let (Some(listed), Some(tasks)) = (listed.get(place), tasks.get_mut(place)) else {
            return Ok(());
        };
        if listed.prepared.contains(&decision.gid) {
            // It is ended, or left, as such.
        } else if is_carried_over {
            // Version 3.0.0 left the rows of what was finished, and nothing to find that out by.
            self.decisions.remove(decision)?;
        } else if is_there {
            tasks.push(Task::Ask(decision));
        } else {
            self.tell_of_loss(decision, listed.partition, Status::Unknown, actions)?;
        }
        Ok(())
    }

    /// The partition that the decision is about is not where it was.
    fn tell_of_absence(
        decision: &Decision,
        partitions: &[Partition],
        listed: &[Listed],
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let of_number = |number: usize| number == decision.partition;
        let is_known = partitions.iter().any(|p| of_number(p.number));
        let is_listed = listed.iter().any(|place| of_number(place.partition));
        // That a partition cannot be asked is told already.
        if is_listed || !is_known {
            let what = format!("decided for another database ({})", decision.address);
            actions.push(action(decision.partition, &decision.gid, what));
        }
        Ok(())
    }

    /// What was to be committed is not there any more, and was not, as far as can be told. That is told once, and loudly.
    fn tell_of_loss(
        &self,
        decision: &Decision,
        partition: usize,
        status: Status,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let what = if status == Status::RolledBack {
            "was rolled back there by somebody else"
        } else {
            "is not there any more; whether it was committed is not known"
        };
        let message = format!(
            "prepared transaction \"{}\" on partition {partition} of cluster \"{}\" was to be committed, and {what}",
            decision.gid, self.cluster.name
        );
        emit(Level::Warning, &Report::new(sqlstate::WARNING, message))?;
        let what = format!("was to be committed, and {what}");
        actions.push(action(partition, &decision.gid, what));
        self.decisions.remove(decision)
    }

    /// Ends what is to be ended, asks what is to be asked, and forgets what is finished.
    fn carry_out(
        &self,
        listed: Vec<Listed>,
        tasks: Vec<Vec<Task<'_>>>,
        decisions: &[Decision],
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        // Several partitions may be one database, or pretend to have what is another's.
        let mut tries: HashMap<String, usize> = HashMap::new();
        for gid in tasks.iter().flatten().filter_map(Task::gid) {
            *tries.entry(gid.to_owned()).or_default() += 1;
        }
        let mut scripts = Vec::new();
        let mut places = Vec::new();
        for (listed, tasks) in listed.into_iter().zip(tasks) {
            if !tasks.is_empty() {
                scripts.push(Script {
                    target: Target::Session(listed.session),
                    steps: tasks.iter().map(Task::step).collect(),
                });
                places.push((listed.partition, listed.site, tasks));
            }
        }
        let outcomes = self.admin.run(
            scripts,
            &ScriptOptions {
                go_on: true,
                ..options(self.cluster)
            },
        )?;
        for ((partition, site, tasks), outcome) in places.into_iter().zip(outcomes) {
            let connection = outcome.connection.err();
            let mut results = outcome.steps.into_iter().map(|step| step.result);
            for task in tasks {
                let lost = || connection.clone().unwrap_or(ErrorKind::Closed);
                let result = results.next().unwrap_or_else(|| Err(lost()));
                match (task, result) {
                    (Task::Ask(decision), result) => match Status::of(result) {
                        Ok(Status::Committed) => self.decisions.remove(decision)?,
                        Ok(Status::InProgress) => {}
                        Ok(status) => self.tell_of_loss(decision, partition, status, actions)?,
                        Err(kind) => {
                            actions.push(action(partition, &decision.gid, words(&kind)));
                        }
                    },
                    (Task::End(gid, verb), Ok(_)) => {
                        if verb == Verb::Commit {
                            self.forget(&gid, partition, &site, decisions)?;
                        }
                        crate::stats::count_recovered();
                        actions.push(action(partition, &gid, verb.past().to_owned()));
                    }
                    // Another partition has ended it, or is about to.
                    (Task::End(gid, _), Err(ErrorKind::Db(diagnostic)))
                        if tries.get(&gid) > Some(&1) && diagnostic.message.contains(&gid) => {}
                    // Its own session has ended it since it was listed, say. Of a commit that is asked next time.
                    (Task::End(gid, verb), Err(ErrorKind::Db(diagnostic)))
                        if diagnostic.code == sqlstate::UNDEFINED_OBJECT
                            && diagnostic.message.contains(&gid) =>
                    {
                        let ended = || action(partition, &gid, "ended meanwhile".to_owned());
                        actions.extend((verb == Verb::Commit).then(ended));
                    }
                    (Task::End(gid, _), Err(kind)) => {
                        actions.push(action(partition, &gid, words(&kind)));
                    }
                }
            }
        }
        Ok(())
    }

    /// A partition has committed a transaction: no more is to be done about the decision, if it is about that partition.
    fn forget(
        &self,
        gid: &str,
        partition: usize,
        site: &Site,
        decisions: &[Decision],
    ) -> Result<(), Error> {
        let is_of_place = |decision: &&Decision| {
            let same_number = self.is_of_cluster(decision) && decision.partition == partition;
            decision.gid == gid && decision.is_about(site, same_number, self.made_by)
        };
        let mut of_place = decisions.iter().filter(is_of_place);
        of_place.try_for_each(|decision| self.decisions.remove(decision))
    }

    /// Asks the partitions. Those that cannot be asked are among the actions.
    fn list(
        &self,
        partitions: &[Partition],
        actions: &mut Vec<Action>,
    ) -> Result<Vec<Listed>, Error> {
        let server = match self.lost {
            Some(Lost::Server(server)) => Some(server),
            Some(Lost::Old) | None => None,
        };
        // A standby lists nothing, whatever is prepared.
        let question = crate::pg::encoding::sql(&format!(
            "select case when not pg_catalog.pg_is_in_recovery() \
                 then coalesce(pg_catalog.string_agg(p.gid, ' ' order by p.gid), '') end \
             from pg_catalog.pg_prepared_xacts p \
             where p.database operator(pg_catalog.=) pg_catalog.current_database() \
                 and p.gid operator(pg_catalog.~) {}",
            quote_literal(&Name::pattern(&self.this, server))
        ))?;
        let scripts = partitions
            .iter()
            .filter_map(|partition| partition.endpoint.as_ref().ok())
            .map(|endpoint| Script {
                target: Target::New(Rc::clone(endpoint)),
                steps: vec![
                    Step::Run(site::QUESTION.into()),
                    Step::Statement(question.clone()),
                ],
            })
            .collect();
        let outcomes = self.admin.run(scripts, &options(self.cluster))?;
        let mut lists = Vec::new();
        for (partition, outcome) in beside(partitions, outcomes) {
            match outcome.and_then(|outcome| Listed::read(partition.number, outcome)) {
                Ok(list) => lists.push(list),
                Err(what) => actions.push(Action {
                    partition: partition.number,
                    gid: None,
                    what,
                }),
            }
        }
        Ok(lists)
    }
}

impl Task<'_> {
    fn step(&self) -> Step {
        match self {
            Self::End(gid, verb) => verb.statement(gid),
            Self::Ask(decision) => Status::question(decision.transaction),
        }
    }

    fn gid(&self) -> Option<&str> {
        match self {
            Self::End(gid, _) => Some(gid),
            Self::Ask(_) => None,
        }
    }
}

fn action(partition: usize, gid: &str, what: String) -> Action {
    Action {
        partition,
        gid: Some(gid.to_owned()),
        what,
    }
}
