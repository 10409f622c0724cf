//! The rows of a set, in partition order.
//!
//! The partition whose turn it is writes to the result at once. One that is ahead of its turn writes to a tuplestore of
//! its own, so that a fast partition never waits for a slow one, and memory stays bounded.
#![forbid(unsafe_code)]

use crate::error::{Error, FunctionLabel};
use crate::pg::fcinfo::{CallInfo, ResultStore};
use crate::pg::memory::Context;
use crate::pg::settings;
use crate::pg::tuple::{Row, RowType};
use crate::pg::tuplestore::Store;
use crate::rows::RowReader;
use crate::shape::Shape;
use plproxy_remote::Batch;

/// The least memory that PostgreSQL lets a tuplestore have, in kilobytes.
const LEAST_MEMORY: i32 = 64;

/// See the module.
pub(crate) struct Collector<'a> {
    writer: Writer<'a>,
    result: ResultStore,
    /// The request whose rows go to the result.
    turn: usize,
    requests: Vec<Source>,
}

/// What is known of a request's rows.
#[derive(Default)]
pub(crate) struct Source {
    reader: Option<RowReader>,
    /// Rows that came ahead of their turn.
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
            reader => reader.insert(RowReader::new(shape, batch, label)?),
        })
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

    /// Writes the rows of a request to the result, or where there is none to the place for those that are ahead of their
    /// turn. `scratch` is memory that is reset after each row.
    pub(crate) fn write(
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
        for row in batch.iter() {
            scratch.enter(|| reader.read(self.shape, row, &mut self.row))?;
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
    ) -> Result<Self, Error> {
        Ok(Self {
            writer: Writer::new(shape, row_type),
            result: info.result_store(row_type)?,
            turn: 0,
            requests: std::iter::repeat_with(Source::default)
                .take(requests)
                .collect(),
        })
    }

    /// Takes rows of a request; `scratch` is memory that is reset after each row.
    pub(crate) fn rows(
        &mut self,
        request: usize,
        batch: &Batch,
        label: &FunctionLabel,
        scratch: &Context,
    ) -> Result<(), Error> {
        let requests = self.requests.len();
        let Some(source) = self.requests.get_mut(request) else {
            return Ok(());
        };
        let result = if request == self.turn {
            Some(&mut self.result.store)
        } else {
            source.make_ahead(requests)?;
            None
        };
        self.writer.write(source, result, batch, label, scratch)
    }

    /// A request has sent all it has.
    pub(crate) fn done(&mut self, request: usize) -> Result<(), Error> {
        if let Some(source) = self.requests.get_mut(request) {
            source.done = true;
        }
        while self
            .requests
            .get(self.turn)
            .is_some_and(|source| source.done)
        {
            self.turn += 1;
            if let Some(ahead) = self
                .requests
                .get_mut(self.turn)
                .and_then(|source| source.ahead.take())
            {
                self.result.store.append(ahead, self.writer.row_type)?;
            }
        }
        Ok(())
    }

    /// Hands the result to the caller.
    pub(crate) fn finish(self) -> Result<(), Error> {
        self.result.give();
        Ok(())
    }
}
