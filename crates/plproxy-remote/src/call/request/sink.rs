//! A request as the sink of its statement's exchange.

use std::rc::Rc;
use std::task::{Context, Poll};

use super::PartitionRequest;
use crate::call::event::Event;
use crate::connection::branch::Branch;
use crate::connection::exchange::sink::ResultSink;
use crate::diagnostic::Diagnostic;
use crate::encoding::Encoding;
use crate::error::ErrorKind;
use crate::protocol::batch::Batch;
use crate::protocol::param::Param;
use crate::runtime::fast_path::FastPath;

impl ResultSink for PartitionRequest {
    fn params(&self, encoding: Encoding) -> Result<Rc<[Param]>, ErrorKind> {
        match &*self.params.borrow() {
            Some(params) => params.of(encoding).cloned(),
            None => Ok(Rc::default()),
        }
    }

    fn drop_params(&self) {
        self.params.take();
    }

    fn branch(&self) -> Option<&Branch> {
        self.branch.as_deref()
    }

    fn batch_size(&self) -> usize {
        self.context.batch
    }

    fn poll_room(&self, handed_over: bool, cx: &mut Context<'_>) -> Poll<()> {
        let events = &self.context.state.events;
        events.poll_room(self.request, handed_over, cx)
    }

    fn rows(&self, batch: Batch) {
        let (request, size) = (self.request, batch.size());
        self.context.state.events.event(
            Event::Rows {
                request,
                batch,
                done: false,
            },
            size,
        );
    }

    fn notice(&self, notice: Box<Diagnostic>) {
        self.context.state.notice(self.request, notice);
    }

    fn fast_path(&self) -> &FastPath {
        &self.context.state.fast_path
    }

    fn is_wanted(&self) -> bool {
        self.context.state.is_wanted()
    }

    fn is_out_of_time(&self) -> bool {
        self.context.state.is_out_of_time()
    }
}
