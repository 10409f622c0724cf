//! A session on a server, whose statements run one after another, waited for or not.

use std::future::{pending, poll_fn};
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use tokio::runtime::{Builder, Handle};
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, Error, NoTls, SimpleQueryMessage};

use crate::{Answer, HANG, Process};

/// A session. It ends when it is dropped, after the statements that were given to it.
pub struct Session {
    statements: UnboundedSender<Statement>,
    heard: Arc<Heard>,
    cancel: CancelToken,
    /// Its server process.
    pub process: Process,
    ended: Receiver<()>,
}

#[derive(Debug)]
struct Statement {
    text: String,
    answer: std::sync::mpsc::Sender<Answer>,
}

/// What has come so far.
#[derive(Debug, Default)]
struct Heard {
    notices: Mutex<Vec<DbError>>,
    log: Mutex<Vec<String>>,
}

/// A statement that is under way.
#[derive(Debug)]
pub struct Pending(Receiver<Answer>);

impl Pending {
    /// Waits for its end.
    pub fn wait(self) -> Answer {
        self.wait_for(HANG)
    }

    /// Waits longer, for a statement that has much to do.
    pub fn wait_for(self, bound: Duration) -> Answer {
        match self.0.recv_timeout(bound) {
            Ok(answer) => answer,
            Err(error) => panic!("a statement has no end: {error}"),
        }
    }

    /// Waits for its end; what it has said, as psql shows it, each line after a semicolon.
    pub fn said(self) -> String {
        self.wait().lines().join(";")
    }
}

impl Session {
    /// Connects; the error as psql would show it.
    pub fn open(config: &Config) -> Result<Self, String> {
        let heard = Arc::new(Heard::default());
        let (statements, queue) = unbounded();
        let (opened, open) = sync_channel(1);
        let (over, ended) = sync_channel(1);
        let (config, hears) = (config.clone(), heard.clone());
        runtime().spawn(async move {
            match connect(&config, hears.clone()).await {
                Ok(client) => {
                    let _ = opened.send(Ok(client.cancel_token()));
                    work(client, queue, &hears).await;
                }
                Err(error) => {
                    let error = Answer {
                        error: Some(error),
                        ..Answer::default()
                    };
                    let _ = opened.send(Err(error.lines().join(";")));
                }
            }
            let _ = over.send(());
        });
        let cancel = open
            .recv_timeout(HANG)
            .map_err(|error| format!("no connection: {error}"))??;
        let mut session = Self {
            statements,
            heard,
            cancel,
            process: Process(0),
            ended,
        };
        let pid = session.run("select pg_backend_pid()").lines().join(";");
        session.heard.log().clear();
        session.process = Process(pid.parse().map_err(|_| pid)?);
        Ok(session)
    }

    /// Gives it a statement, which runs when those before have ended.
    pub fn send(&self, statement: &str) -> Pending {
        let (answer, wait) = channel();
        let text = statement.to_owned();
        let _ = self.statements.unbounded_send(Statement { text, answer });
        Pending(wait)
    }

    /// Runs a statement, or several in one message.
    pub fn run(&self, statement: &str) -> Answer {
        self.send(statement).wait()
    }

    /// Runs statements one by one, up to the first error; what they have said, each line after a semicolon.
    pub fn ask(&self, statements: &[&str]) -> String {
        let mut said = Vec::new();
        for statement in statements {
            let answer = self.run(statement);
            said.extend(answer.lines());
            if answer.error.is_some() {
                break;
            }
        }
        said.join(";")
    }

    /// All that it has said, line by line.
    pub fn log(&self) -> Vec<String> {
        self.heard.log().clone()
    }

    /// Asks the server to end what it does, as a client's cancel request.
    pub fn cancel(&self) {
        let cancel = self.cancel.clone();
        let (done, wait) = sync_channel(1);
        runtime().spawn(async move {
            let _ = done.send(
                cancel
                    .cancel_query(NoTls)
                    .await
                    .map_err(|error| error.to_string()),
            );
        });
        match wait.recv_timeout(HANG) {
            Ok(Ok(())) => {}
            other => panic!("not cancelled: {other:?}"),
        }
    }

    /// Ends it, after the statements that were given to it, and waits for that; all that it has said.
    pub fn end(self) -> Vec<String> {
        let Self {
            statements,
            ended,
            heard,
            ..
        } = self;
        drop(statements);
        if let Err(error) = ended.recv_timeout(HANG) {
            panic!("a session does not end: {error}");
        }
        heard.log().clone()
    }
}

impl Heard {
    fn log(&self) -> MutexGuard<'_, Vec<String>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notices(&self) -> MutexGuard<'_, Vec<DbError>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(config: &Config, heard: Arc<Heard>) -> Result<Client, Error> {
    let (client, mut connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message {
                heard.notices().push(notice);
            }
        }
    });
    Ok(client)
}

async fn work(client: Client, mut queue: UnboundedReceiver<Statement>, heard: &Heard) {
    while let Some(statement) = queue.next().await {
        let mut answer = Answer::default();
        answer.error = ask(&client, &statement.text, &mut answer.rows).await.err();
        answer.notices = std::mem::take(&mut *heard.notices());
        heard.log().extend(answer.lines());
        // Not everybody waits for it.
        let _ = statement.answer.send(answer);
    }
}

/// Leaves the rows that came before an error.
async fn ask(
    client: &Client,
    statement: &str,
    rows: &mut Vec<Vec<Option<String>>>,
) -> Result<(), Error> {
    let mut messages = Box::pin(client.simple_query_raw(statement).await?);
    while let Some(message) = messages.next().await {
        if let SimpleQueryMessage::Row(row) = message? {
            let values = (0..row.len()).map(|column| row.get(column).map(str::to_owned));
            rows.push(values.collect());
        }
    }
    Ok(())
}

/// One thread for the sockets of all sessions.
fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let handle = runtime.handle().clone();
        thread::spawn(move || runtime.block_on(pending::<()>()));
        handle
    })
}
