//! The rows of a set, in partition order.
//!
//! The partition whose turn it is writes to the result at once. The rows of one that is ahead of its turn are kept as they
//! came while they are few, and else in a tuplestore of its own, so that a fast partition never waits for a slow one, and
//! memory stays bounded.
#![forbid(unsafe_code)]

use super::rows::RowReader;
use crate::call::{Call, RequestEnd};
use crate::error::{Error, FunctionLabel};
use crate::function::codec::Shape;
use crate::pg::fcinfo::{CallInfo, ResultStore};
use crate::pg::memory::Context;
use crate::pg::settings::{self, InputSettings};
use crate::pg::tuple::{Row, RowType};
use crate::pg::tuplestore::Store;
use pgrx::pg_sys::Datum;
use plproxy_remote::Batch;
use std::collections::VecDeque;
use std::rc::Rc;

/// The least memory that PostgreSQL lets a tuplestore have, in kilobytes.
const LEAST_MEMORY: i32 = 64;

/// So many bytes of rows ahead of their turn are kept as they came, of all requests of a call together.
const KEPT: usize = 64 * 1024;

/// All rows go to a tuplestore.
pub(super) fn take(
    call: &mut Call,
    info: &mut CallInfo,
    shape: &Rc<Shape>,
    memory: &Context,
) -> Result<Datum, Error> {
    let label = call.label().clone();
    let row_type = shape.set_row_type(&label)?;
    let mut collector = Collector::new(info, shape, row_type, call.requests(), call.skips())?;
    call.drive(|arrival| {
        let request = arrival.request;
        if let Some(batch) = arrival.batch {
            collector.rows(request, batch, &label, memory)?;
        }
        match arrival.end {
            None => Ok(()),
            Some(RequestEnd::Done) => collector.done(request, &label, memory),
            Some(RequestEnd::Failed) => collector.failed(request, &label, memory),
        }
    })?;
    collector.finish()?;
    Ok(info.return_null())
}

/// The room that is left for them.
pub(crate) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(KEPT)
    }
}

/// See the module.
pub(crate) struct Collector<'a> {
    writer: Writer<'a>,
    result: ResultStore,
    /// The request whose rows go to the result.
    turn: usize,
    /// Rows of a request go to the result only when all of them are there.
    holds: bool,
    room: Room,
    requests: Vec<Source>,
}

/// What is known of a request's rows.
#[derive(Default)]
pub(crate) struct Source {
    reader: Option<Rc<RowReader>>,
    /// Rows that came ahead of their turn, as they came. There are none if there is a tuplestore.
    kept: VecDeque<Batch>,
    /// The same where they are many.
    pub(crate) ahead: Option<Store>,
    pub(crate) done: bool,
}

impl Source {
    /// How the rows are read, from the first ones on.
    pub(crate) fn reader(
        &mut self,
        shape: &Shape,
        batch: &Batch,
        label: &FunctionLabel,
    ) -> Result<&RowReader, Error> {
        Ok(match &mut self.reader {
            Some(reader) => reader,
            reader => reader.insert(RowReader::find(shape, batch, label)?),
        })
    }

    /// Keeps rows that are ahead of their turn as they are, or gives them back if they are too many.
    pub(crate) fn keep(&mut self, batch: Batch, room: &mut Room) -> Option<Batch> {
        if self.ahead.is_some() || batch.size() > room.0 {
            return Some(batch);
        }
        room.0 -= batch.size();
        self.kept.push_back(batch);
        None
    }

    /// Rows that were kept so, the first ones first.
    pub(crate) fn next_kept(&mut self, room: &mut Room) -> Option<Batch> {
        let batch = self.kept.pop_front()?;
        room.0 += batch.size();
        Some(batch)
    }

    pub(crate) fn has_kept(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Makes the place for rows that are ahead of their turn, in the current memory context; it may use one of `requests`
    /// shares of the memory.
    pub(crate) fn make_ahead(&mut self, requests: usize) -> Result<(), Error> {
        if self.ahead.is_none() {
            let requests = i32::try_from(requests).unwrap_or(i32::MAX).max(1);
            let share = (settings::work_mem() / requests).max(LEAST_MEMORY);
            self.ahead = Some(Store::new(false, share)?);
        }
        Ok(())
    }
}

/// Writes rows to tuplestores.
pub(crate) struct Writer<'a> {
    shape: &'a Shape,
    row_type: &'a RowType,
    /// Reused from row to row.
    row: Row,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(shape: &'a Shape, row_type: &'a RowType) -> Self {
        Self {
            shape,
            row_type,
            row: row_type.row(),
        }
    }

    /// Writes all rows that came ahead of their turn, these the last ones, to the place that was made for them.
    pub(crate) fn put_ahead(
        &mut self,
        source: &mut Source,
        batch: &Batch,
        room: &mut Room,
        label: &FunctionLabel,
        scratch: &Context,
    ) -> Result<(), Error> {
        while let Some(kept) = source.next_kept(room) {
            self.write(source, None, &kept, label, scratch)?;
        }
        self.write(source, None, batch, label, scratch)
    }

    /// Writes the rows of a request to the result, or where there is none to the place for those that are ahead of their
    /// turn. `scratch` is memory that is reset after each row. Values as text are read as the partition's settings mean them.
    fn write(
        &mut self,
        source: &mut Source,
        result: Option<&mut Store>,
        batch: &Batch,
        label: &FunctionLabel,
        scratch: &Context,
    ) -> Result<(), Error> {
        source.reader(self.shape, batch, label)?;
        let (Some(reader), Some(store)) = (&source.reader, result.or(source.ahead.as_mut())) else {
            return Ok(());
        };
        let _settings = InputSettings::of(batch.style())?;
        for row in batch.iter() {
            scratch
                .enter(|| reader.read(self.shape, row, &mut self.row))
                .map_err(|error| label.value_error(batch.dbname(), error))?;
            store.put(self.row_type, &self.row)?;
            scratch.reset();
        }
        Ok(())
    }
}

impl<'a> Collector<'a> {
    pub(crate) fn new(
        info: &CallInfo,
        shape: &'a Shape,
        row_type: &'a RowType,
        requests: usize,
        holds: bool,
    ) -> Result<Self, Error> {
        Ok(Self {
            holds,
            writer: Writer::new(shape, row_type),
            result: info.result_store(row_type)?,
            turn: 0,
            room: Room::default(),
            requests: std::iter::repeat_with(Source::default)
                .take(requests)
                .collect(),
        })
    }

    /// Takes rows of a request; `scratch` is memory that is reset after each row.
    pub(crate) fn rows(
        &mut self,
        request: usize,
        batch: Batch,
        label: &FunctionLabel,
        scratch: &Context,
    ) -> Result<(), Error> {
        let requests = self.requests.len();
        let Some(source) = self.requests.get_mut(request) else {
            return Ok(());
        };
        if request == self.turn && !self.holds {
            let result = Some(&mut self.result.store);
            return self.writer.write(source, result, &batch, label, scratch);
        }
        let Some(batch) = source.keep(batch, &mut self.room) else {
            return Ok(());
        };
        source.make_ahead(requests)?;
        self.writer
            .put_ahead(source, &batch, &mut self.room, label, scratch)
    }

    /// A request has sent all it has.
    pub(crate) fn done(
        &mut self,
        request: usize,
        label: &FunctionLabel,
        scratch: &Context,
    ) -> Result<(), Error> {
        if let Some(source) = self.requests.get_mut(request) {
            source.done = true;
        }
        loop {
            // Where they are held back, the rows are those of the turn that ends, else those of the one that begins.
            match self.requests.get(self.turn) {
                Some(source) if source.done => {}
                _ => break,
            }
            let next = self.turn + 1;
            let flushed = if self.holds { self.turn } else { next };
            self.turn = next;
            let Some(source) = self.requests.get_mut(flushed) else {
                break;
            };
            while let Some(kept) = source.next_kept(&mut self.room) {
                let result = Some(&mut self.result.store);
                self.writer.write(source, result, &kept, label, scratch)?;
            }
            if let Some(ahead) = source.ahead.take() {
                self.result.store.append(ahead, self.writer.row_type)?;
            }
        }
        Ok(())
    }

    /// A request has failed: of its rows none counts.
    pub(crate) fn failed(
        &mut self,
        request: usize,
        label: &FunctionLabel,
        scratch: &Context,
    ) -> Result<(), Error> {
        if let Some(source) = self.requests.get_mut(request) {
            while source.next_kept(&mut self.room).is_some() {}
            source.ahead = None;
        }
        self.done(request, label, scratch)
    }

    /// Hands the result to the caller.
    pub(crate) fn finish(self) -> Result<(), Error> {
        self.result.give();
        Ok(())
    }
}
