//! The messages of the frontend/backend protocol: reading them, writing them, and their contents.

pub(crate) mod batch;
pub(crate) mod columns;
pub(crate) mod error_response;
pub(crate) mod frame;
pub(crate) mod notices;
pub(crate) mod param;
pub(crate) mod read_buffer;
pub(crate) mod row;
pub(crate) mod statement;
pub(crate) mod terminate;
pub(crate) mod text_style;
pub(crate) mod typed_columns;
pub(crate) mod write_buffer;
