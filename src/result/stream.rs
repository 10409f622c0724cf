//! A set handed out value by value, as the caller asks for it.
//!
//! The caller that stops early ends the remote work; rows that nobody asked for are not read. The order is the partitions',
//! and the rows of one that is ahead of its turn are kept meanwhile, as in [`set`](super::set).
#![forbid(unsafe_code)]

use super::set::{Room, Source, Writer};
use crate::call::{Arrival, Call};
use crate::error::{Error, FunctionLabel};
use crate::function::codec::{Shape, ShapeResult};
use crate::pg::fcinfo::CallInfo;
use crate::pg::memory::Context;
use crate::pg::settings::InputSettings;
use crate::pg::srf::ValuePerCall;
use crate::pg::tuplestore::{Store, StoreReader};
use crate::stats::End;
use pgrx::pg_sys::Datum;
use plproxy_remote::Batch;
use std::rc::Rc;

/// See the module.
pub(crate) struct Stream {
    call: Call,
    rows: Rows,
}

/// What has come and was not handed out.
struct Rows {
    /// The request whose rows are next.
    turn: usize,
    requests: Vec<Source>,
    room: Room,
    /// Rows of the turn's request that had come ahead of it: they are the first.
    ahead: Option<StoreReader>,
    /// Rows of the turn's request as they came, and the place of the next one.
    batch: Option<(Batch, usize)>,
    label: FunctionLabel,
    /// Dropped last: `ahead` refers to its row type, which a change of the function may have left to us alone.
    shape: Rc<Shape>,
}

impl Stream {
    pub(crate) fn new(call: Call, shape: &Rc<Shape>) -> Box<Self> {
        let requests = std::iter::repeat_with(Source::default)
            .take(call.requests())
            .collect();
        let rows = Rows {
            turn: 0,
            requests,
            room: Room::default(),
            ahead: None,
            batch: None,
            label: call.label().clone(),
            shape: Rc::clone(shape),
        };
        Box::new(Self { call, rows })
    }

    /// The next value, in the caller's memory. An error has ended the remote work.
    fn next(&mut self, info: &CallInfo) -> Result<Option<Option<Datum>>, Error> {
        let Self { call, rows } = self;
        loop {
            if let Some(value) = call.or_cancel(|| rows.next(info))? {
                return Ok(Some(value));
            }
            let Some(arrival) = call.next()? else {
                return Ok(None);
            };
            call.or_cancel(|| rows.take(arrival, info))?;
        }
    }
}

impl ValuePerCall for Stream {
    fn advance(mut self: Box<Self>, info: &mut CallInfo) -> Result<Datum, Error> {
        let value = match self.next(info) {
            Ok(Some(value)) => value,
            Ok(None) => {
                self.call.end(End::Done);
                self.call.log()?;
                return Ok(info.end_of_set());
            }
            Err(error) => {
                if let Err(unlogged) = self.call.log() {
                    unlogged.ends_here("the error that is on its way ends the subtransaction");
                }
                return Err(error);
            }
        };
        self.call.rest();
        info.suspend(self)?;
        Ok(value.unwrap_or_else(|| info.return_null()))
    }

    fn end(mut self: Box<Self>) {
        self.call.cancel();
        if let Err(unlogged) = self.call.log() {
            unlogged.ends_here("a line is written to the log by a pipe or a file of this process");
        }
    }

    fn abandon(mut self: Box<Self>) -> (Vec<Store>, Option<StoreReader>) {
        self.call.cancel();
        let stores = self.rows.requests.iter_mut();
        let stores = stores.filter_map(|source| source.ahead.take()).collect();
        (stores, self.rows.ahead.take())
    }
}

impl Rows {
    /// The next value of those that are here, in the caller's memory.
    fn next(&mut self, info: &CallInfo) -> Result<Option<Option<Datum>>, Error> {
        loop {
            if let Some(ahead) = &mut self.ahead {
                let row_type = self.shape.set_row_type(&self.label)?;
                let composite = matches!(self.shape.result, ShapeResult::Row(..));
                if let Some(value) = ahead.next(row_type, composite)? {
                    return Ok(Some(value));
                }
                self.ahead = None;
            }
            if let Some(value) = self.next_of_batch()? {
                return Ok(Some(value));
            }
            if let Some(source) = self.requests.get_mut(self.turn)
                && let Some(batch) = source.next_kept(&mut self.room)
            {
                self.batch = Some((batch, 0));
                continue;
            }
            let mut kept = false;
            while self
                .requests
                .get(self.turn)
                .is_some_and(|source| source.done)
            {
                self.turn += 1;
                let Some(source) = self.requests.get_mut(self.turn) else {
                    break;
                };
                kept = source.has_kept();
                if kept {
                    break;
                }
                if let Some(store) = source.ahead.take() {
                    let row_type = self.shape.set_row_type(&self.label)?;
                    let reader = info.in_query_memory(|| StoreReader::new(store, row_type))??;
                    self.ahead = Some(reader);
                    break;
                }
            }
            if self.ahead.is_none() && !kept {
                return Ok(None);
            }
        }
    }

    /// The next value of the rows at hand.
    fn next_of_batch(&mut self) -> Result<Option<Option<Datum>>, Error> {
        let (Some((batch, next)), Some(source)) =
            (&mut self.batch, self.requests.get_mut(self.turn))
        else {
            return Ok(None);
        };
        let Some(row) = batch.row(*next) else {
            self.batch = None;
            return Ok(None);
        };
        *next += 1;
        // Values as text are read as the partition's settings mean them.
        let _settings = InputSettings::of(batch.style())?;
        let reader = source.reader(&self.shape, batch, &self.label)?;
        let value = reader.read_single(&self.shape, row);
        let named = value.map_err(|error| self.label.value_error(batch.dbname(), error));
        named.map(Some)
    }

    /// Keeps what came: as it is if its turn has come or there is room, else in a tuplestore.
    fn take(&mut self, arrival: Arrival, info: &CallInfo) -> Result<(), Error> {
        let requests = self.requests.len();
        let Some(source) = self.requests.get_mut(arrival.request) else {
            return Ok(());
        };
        source.done = arrival.is_last();
        let Some(batch) = arrival.batch else {
            return Ok(());
        };
        if arrival.request == self.turn {
            self.batch = Some((batch, 0));
            return Ok(());
        }
        let Some(batch) = source.keep(batch, &mut self.room) else {
            return Ok(());
        };
        let row_type = self.shape.set_row_type(&self.label)?;
        info.in_query_memory(|| source.make_ahead(requests))??;
        Writer::new(&self.shape, row_type).put_ahead(
            source,
            &batch,
            &mut self.room,
            &self.label,
            &Context::for_call()?,
        )
    }
}
