//! The servers of the run, and sessions on them.

use crate::Outcome;
use plproxy_test_kit::{Run, Server};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, Statement};

/// All servers of a measurement.
pub struct Servers {
    /// The proxy with the C handler.
    pub c: Server,
    /// The proxy with ours.
    pub ours: Server,
    /// The proxy with ours whose sessions share connections.
    pub shared: Server,
    /// Those that hold the partitions of all.
    pub parts: [Server; 2],
}

impl Servers {
    /// Those that run.sh has started.
    pub fn find() -> Outcome<Self> {
        if std::env::var_os("PLPROXY_RUN").is_none() {
            return Err("PLPROXY_RUN is not set".to_owned());
        }
        let run = Run::begin();
        Ok(Self {
            c: run.server("c"),
            ours: run.server("ours"),
            shared: run.server("shared"),
            parts: [run.server("part_a"), run.server("part_b")],
        })
    }

    /// Closes the connections that sessions share.
    pub fn close_shared(&self) -> Outcome<()> {
        let session = Session::open(&self.shared)?;
        session
            .ask_text("select plproxy_disconnect_all(all_sessions => true)::text")
            .map(drop)
    }

    /// The processes of sessions on the partitions.
    pub fn processes(&self) -> Outcome<Vec<i32>> {
        let mut all = Vec::new();
        for part in &self.parts {
            let session = Session::open(part)?;
            let list = session.ask_text(
                "select coalesce(string_agg(pid::text, ' '), '') from pg_stat_activity
                 where backend_type = 'client backend' and pid <> pg_backend_pid()",
            )?;
            let pids = list.split_ascii_whitespace().map(str::parse);
            all.extend(
                pids.collect::<Result<Vec<i32>, _>>()
                    .map_err(|error| error.to_string())?,
            );
        }
        Ok(all)
    }

    /// Waits until the partitions' backends of closed sessions are gone, so that they do not weigh on what follows.
    pub fn settle(&self) -> Outcome<()> {
        for part in &self.parts {
            let session = Session::open(part)?;
            let others = session.prepare(
                "select count(*) from pg_stat_activity
                 where backend_type = 'client backend' and pid <> pg_backend_pid()",
            )?;
            let limit = Instant::now() + Duration::from_secs(60);
            while session.ask(&others)? > 0 {
                if Instant::now() > limit {
                    return Err("sessions on the partitions do not end".to_owned());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

/// A session, with the process id of its backend.
pub struct Session {
    client: Client,
    pub pid: i32,
    // Last: what uses it is dropped before it.
    runtime: Runtime,
}

impl Session {
    /// Logs in as the superuser.
    pub fn open(server: &Server) -> Outcome<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let client = runtime.block_on(connect(server))?;
        let mut session = Self {
            client,
            pid: 0,
            runtime,
        };
        let pid = session.prepare("select pg_backend_pid()::int8")?;
        session.pid = i32::try_from(session.ask(&pid)?).map_err(|error| error.to_string())?;
        Ok(session)
    }

    pub fn prepare(&self, query: &str) -> Outcome<Statement> {
        self.runtime
            .block_on(self.client.prepare(query))
            .map_err(|error| describe(&error))
    }

    /// The one value that a statement gives: an int8.
    pub fn ask(&self, statement: &Statement) -> Outcome<i64> {
        let row = self
            .runtime
            .block_on(self.client.query_one(statement, &[]))
            .map_err(|error| describe(&error))?;
        row.try_get(0).map_err(|error| describe(&error))
    }

    /// The one float8 that a query gives.
    pub fn ask_float(&self, query: &str) -> Outcome<f64> {
        let row = self
            .runtime
            .block_on(self.client.query_one(query, &[]))
            .map_err(|error| describe(&error))?;
        row.try_get(0).map_err(|error| describe(&error))
    }

    /// The one text that a query gives.
    pub fn ask_text(&self, query: &str) -> Outcome<String> {
        let row = self
            .runtime
            .block_on(self.client.query_one(query, &[]))
            .map_err(|error| describe(&error))?;
        row.try_get(0).map_err(|error| describe(&error))
    }

    /// The seconds until a statement has given what it must give.
    pub fn time(&self, statement: &Statement, expected: i64) -> Outcome<f64> {
        let start = Instant::now();
        let value = self.ask(statement)?;
        let seconds = start.elapsed().as_secs_f64();
        if value == expected {
            Ok(seconds)
        } else {
            Err(format!("a call gave {value} instead of {expected}"))
        }
    }

    /// The same, prepared first and outside the time.
    pub fn time_query(&self, query: &str, expected: i64) -> Outcome<f64> {
        let statement = self.prepare(query)?;
        self.time(&statement, expected)
    }
}

async fn connect(server: &Server) -> Outcome<Client> {
    let (client, connection) = (server.config("postgres").connect(NoTls))
        .await
        .map_err(|error| describe(&error))?;
    // Its end shows in the client.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}

fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}
