//! Sending a statement and taking in what comes back, on one connection.
//!
//! The client library has two halves: the driver reads and writes, the client's futures and streams get the answers from
//! it through a channel. Both are polled here, in turns, until the statement and what was sent along with it are
//! answered. Where there is no room for more rows nothing is polled, so that the channel, the socket and at last the
//! server wait.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::Stream;
use futures::future::{MaybeDone, maybe_done};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row, RowStream, SimpleQueryMessage};

use crate::call::Event;
use crate::connection::{Aside, Connection, Driver, poll_driver};
use crate::error::ErrorKind;
use crate::execute::Task;
use crate::monitor::Monitor;
use crate::rows::{Batch, ColumnDescription, Format};
use crate::settings::{Change, Settings};
use crate::statement::Direct;

/// What a row takes besides its bytes.
const ROW_OVERHEAD: usize = 64;

/// A statement under way.
pub(crate) struct Drive<'a> {
    task: &'a Task,
    driver: &'a mut Driver,
    monitor: &'a Rc<RefCell<Monitor>>,
    broken: &'a mut bool,
    settings: &'a mut Settings,
    direct: &'a mut Direct,
    ahead: Option<Ahead<'a>>,
    columns: Option<Rc<[ColumnDescription]>>,
    format: Format,
    /// The round that the statement is; what is sent along is the next.
    round: u64,
}

/// How it went.
pub(crate) struct Driven {
    /// The statement began to run, or may have.
    pub(crate) opened: bool,
    pub(crate) result: Result<(), ErrorKind>,
    /// The last rows.
    pub(crate) batch: Option<Batch>,
    pub(crate) columns: Option<Rc<[ColumnDescription]>>,
}

/// A change of settings that goes out ahead of the statement.
struct Ahead<'a> {
    change: Rc<Change>,
    answer: Pin<Box<MaybeDone<Asking<'a>>>>,
}

type Asking<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;
type Answer = Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>;

impl<'a> Ahead<'a> {
    /// Puts it in the queue, which the first poll does.
    async fn new(client: &'a Client, change: Change) -> Ahead<'a> {
        let change = Rc::new(change);
        let sent = change.clone();
        let answer: Asking<'a> = Box::pin(async move { client.simple_query(sent.sql()).await });
        let mut ahead = Ahead {
            change,
            answer: Box::pin(maybe_done(answer)),
        };
        ahead.look().await;
        ahead
    }

    /// Takes in what there is of the answer.
    fn poll(&mut self, cx: &mut Context<'_>) {
        let _ = self.answer.as_mut().poll(cx);
    }

    /// The same without a wait.
    async fn look(&mut self) {
        poll_fn(|cx| {
            self.poll(cx);
            Poll::Ready(())
        })
        .await;
    }
}

/// Something sent along with the statement.
pub(crate) type Along<'a> = Option<Pin<Box<dyn Future<Output = ()> + 'a>>>;

impl<'a> Drive<'a> {
    /// Gets a connection ready for a statement with results of that form, and hands out the half that sends it.
    pub(crate) async fn new(
        task: &'a Task,
        connection: &'a mut Connection,
        columns: Option<Rc<[ColumnDescription]>>,
        format: Format,
    ) -> (&'a Client, Drive<'a>) {
        let Connection {
            client,
            driver,
            monitor,
            broken,
            statements,
            settings,
            direct,
            ..
        } = connection;
        if statements.any_forgotten() {
            // The library closes a prepared statement on the server when the last row of it is gone. Such requests must
            // be on their way before the rounds are counted.
            poll_fn(|cx| {
                while let Poll::Ready(aside) = poll_driver(driver, cx) {
                    match aside {
                        Aside::Notice(notice) => {
                            let size = notice.size();
                            task.outbox.event(
                                Event::Notice {
                                    request: task.request,
                                    notice,
                                },
                                size,
                            );
                        }
                        Aside::Failed(_) => break,
                    }
                }
                Poll::Ready(())
            })
            .await;
        }
        let mut round = monitor.borrow().asked();
        let change = {
            let monitor = monitor.borrow();
            let needs = task.statement.needs();
            settings.change(needs, monitor.style(), monitor.process_id(), *direct)
        };
        let ahead = match change {
            None => None,
            Some(change) => {
                round += 1;
                Some(Ahead::new(client, change).await)
            }
        };
        monitor.borrow_mut().description(round);
        (
            client,
            Drive {
                task,
                driver,
                monitor,
                broken,
                settings,
                direct,
                ahead,
                columns,
                format,
                round,
            },
        )
    }

    /// Runs the statement that `opening` sends, and `along` with it.
    pub(crate) async fn run(
        &mut self,
        opening: impl Future<Output = Result<RowStream, tokio_postgres::Error>>,
        mut along: Along<'_>,
    ) -> Driven {
        let mut opening = pin!(opening);
        let mut stream = pin!(None::<RowStream>);
        let mut intake = Intake {
            rows: Vec::new(),
            size: 0,
            opened: false,
            handed_over: false,
            result: None,
        };
        poll_fn(|cx| {
            loop {
                if self.poll_room(&intake, cx).is_pending() {
                    return Poll::Pending;
                }
                self.take_in(cx, opening.as_mut(), stream.as_mut(), &mut intake);
                if self.is_over(&intake) {
                    return Poll::Ready(());
                }
                if let Some(ahead) = &mut self.ahead {
                    ahead.poll(cx);
                }
                if let Some(polled) = &mut along
                    && polled.as_mut().poll(cx).is_ready()
                {
                    along = None;
                }
                if along.is_none() && self.is_answered(&intake) {
                    return Poll::Ready(());
                }
                let aside = poll_driver(self.driver, cx);
                // What came before whatever the driver came upon. The end of an answer that nobody takes in any more
                // wakes nobody, and must be noticed here.
                let progress = self.take_in(cx, opening.as_mut(), stream.as_mut(), &mut intake)
                    || along.is_none() && self.is_answered(&intake);
                match aside {
                    Poll::Pending if progress => {}
                    Poll::Pending => {
                        // Better now than after a wait, unless it is only for what was sent along.
                        if intake.result.is_none() {
                            self.flush(&mut intake);
                        }
                        return Poll::Pending;
                    }
                    Poll::Ready(Aside::Notice(notice)) => {
                        self.flush(&mut intake);
                        let size = notice.size();
                        self.task.outbox.event(
                            Event::Notice {
                                request: self.task.request,
                                notice,
                            },
                            size,
                        );
                    }
                    Poll::Ready(Aside::Failed(kind)) => {
                        *self.broken = true;
                        intake.result.get_or_insert(Err(kind));
                        return Poll::Ready(());
                    }
                }
            }
        })
        .await;
        let batch = self.batch(&mut intake);
        self.learn_columns();
        self.learn_settings().await;
        let result = intake.result.unwrap_or(Err(ErrorKind::Closed));
        Driven {
            opened: intake.opened,
            result,
            batch,
            columns: self.columns.clone(),
        }
    }

    /// The columns of the statement that was prepared along with this one.
    pub(crate) fn describe_aside(&mut self) -> Option<Rc<[ColumnDescription]>> {
        self.monitor.borrow_mut().description(self.round + 1)
    }

    /// Ready when the outbox has room for this request's rows.
    fn poll_room(&self, intake: &Intake, cx: &mut Context<'_>) -> Poll<()> {
        let Task {
            outbox, request, ..
        } = self.task;
        outbox.poll_room(*request, intake.handed_over, cx)
    }

    /// Takes in what the driver has delivered. Whether that was anything.
    fn take_in(
        &mut self,
        cx: &mut Context<'_>,
        opening: Pin<&mut impl Future<Output = Result<RowStream, tokio_postgres::Error>>>,
        mut stream: Pin<&mut Option<RowStream>>,
        intake: &mut Intake,
    ) -> bool {
        if intake.result.is_some() {
            return false;
        }
        let mut progress = false;
        if !intake.opened {
            match opening.poll(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(opened)) => stream.set(Some(opened)),
                Poll::Ready(Err(error)) => {
                    intake.result = Some(Err(ErrorKind::from_library(&error)));
                    return true;
                }
            }
            intake.opened = true;
            progress = true;
        }
        let Some(mut rows) = stream.as_mut().as_pin_mut() else {
            return progress;
        };
        let result = loop {
            if intake.size >= self.task.batch {
                self.flush(intake);
                intake.handed_over = true;
                if self.poll_room(intake, cx).is_pending() {
                    return progress;
                }
            }
            match rows.as_mut().poll_next(cx) {
                Poll::Pending => return progress,
                Poll::Ready(None) => break Ok(()),
                Poll::Ready(Some(Err(error))) => break Err(ErrorKind::from_library(&error)),
                Poll::Ready(Some(Ok(row))) => {
                    progress = true;
                    intake.size += row.raw_size_bytes() + ROW_OVERHEAD;
                    intake.rows.push(row);
                }
            }
        };
        // Hangs up on the rest of the answer, if there is any: the driver leaves it unread from now on.
        stream.set(None);
        intake.result = Some(result);
        true
    }

    /// Whether the statement came to an end after which there is nothing to wait for.
    fn is_over(&mut self, intake: &Intake) -> bool {
        match &intake.result {
            // Nothing was sent.
            Some(Err(ErrorKind::Encode(_))) => true,
            Some(Err(ErrorKind::Db(diagnostic))) => {
                *self.broken |= diagnostic.fatal;
                diagnostic.fatal
            }
            Some(Err(_)) => {
                *self.broken = true;
                true
            }
            _ => false,
        }
    }

    /// Whether the server has nothing more to say to what it was sent.
    fn is_answered(&self, intake: &Intake) -> bool {
        intake.result.is_some() && self.monitor.borrow().is_answered()
    }

    fn learn_columns(&mut self) {
        if self.columns.is_none() {
            self.columns = self.monitor.borrow_mut().description(self.round);
        }
    }

    /// Takes in what came of the change of settings.
    async fn learn_settings(&mut self) {
        let Some(mut ahead) = self.ahead.take() else {
            return;
        };
        // The statement's answer is there, and so is this one, which came before it.
        ahead.look().await;
        match ahead.answer.as_mut().take_output() {
            Some(Ok(messages)) => {
                if let Some(direct) = self.settings.learn(&ahead.change, &messages) {
                    *self.direct = direct;
                }
            }
            // An error undoes it as a whole. But for a cancel it would not have been refused.
            Some(Err(error)) if error.code() == Some(&SqlState::QUERY_CANCELED) => {}
            Some(Err(error)) if error.as_db_error().is_some() => self.settings.refused(),
            // Nobody knows what the session's settings are.
            _ => *self.broken = true,
        }
    }

    fn batch(&mut self, intake: &mut Intake) -> Option<Batch> {
        if intake.rows.is_empty() {
            return None;
        }
        self.learn_columns();
        let rows = std::mem::take(&mut intake.rows);
        let size = std::mem::take(&mut intake.size);
        let columns = self.columns.clone().unwrap_or_default();
        let style = self.monitor.borrow().peculiar_style();
        Some(Batch::new(rows, columns, self.format, style, size))
    }

    /// Hands over the rows that are there.
    fn flush(&mut self, intake: &mut Intake) {
        if let Some(batch) = self.batch(intake) {
            let size = batch.size();
            self.task.outbox.event(
                Event::Rows {
                    request: self.task.request,
                    batch,
                    done: false,
                },
                size,
            );
        }
    }
}

/// What came in and was not handed over yet.
struct Intake {
    rows: Vec<Row>,
    size: usize,
    opened: bool,
    /// Some rows went out already, a batch full.
    handed_over: bool,
    result: Option<Result<(), ErrorKind>>,
}
