//! The state of a session, as the server reports it: its process, its transaction, how many rounds are answered, its settings.

use std::rc::Rc;

use crate::encoding::Encoding;
use crate::error::ErrorKind;
use crate::protocol::text_style::TextStyle;
use crate::shared::place::Place;

/// How many bytes of settings a server may report in one round.
const STATUS_LIMIT: usize = 1 << 17;

/// See the module.
pub(crate) struct SessionState {
    encoding: Encoding,
    process_id: i32,
    secret_key: i32,
    server_version: String,
    transaction: u8,
    /// `client_encoding` is not the one that was agreed on any more.
    encoding_lost: bool,
    style: TextStyle,
    nonstandard_style: Option<Rc<TextStyle>>,
    /// How many rounds (a simple query, or all up to a Sync) were sent; the start-up is the first.
    asked: u64,
    answered: u64,
    status_bytes: usize,
}

impl SessionState {
    pub(crate) fn new(encoding: Encoding) -> SessionState {
        SessionState {
            encoding,
            process_id: 0,
            secret_key: 0,
            server_version: String::new(),
            transaction: 0,
            encoding_lost: false,
            style: TextStyle::default(),
            nonstandard_style: None,
            asked: 1,
            answered: 0,
            status_bytes: 0,
        }
    }

    /// The state of a session that another process has begun: everything is answered, no transaction is open.
    pub(crate) fn resumed(encoding: Encoding, place: &Place) -> SessionState {
        SessionState {
            process_id: place.process_id,
            secret_key: place.secret_key,
            server_version: place.server_version.clone(),
            transaction: b'I',
            answered: 1,
            ..SessionState::new(encoding)
        }
    }

    /// How the server writes values as text, as another process has read it.
    pub(crate) fn set_style(&mut self, style: TextStyle) {
        let nonstandard = style.is_nonstandard();
        self.style = style;
        self.nonstandard_style = nonstandard.then(|| Rc::new(self.style.clone()));
    }

    /// The process that the log-in named.
    pub(crate) fn process_id(&self) -> i32 {
        self.process_id
    }

    /// The encoding that was agreed on.
    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The secret that authorizes a cancel request.
    pub(crate) fn secret_key(&self) -> i32 {
        self.secret_key
    }

    /// The server's version, as it reported it.
    pub(crate) fn server_version(&self) -> &str {
        &self.server_version
    }

    /// How the server writes values as text.
    pub(crate) fn style(&self) -> &TextStyle {
        &self.style
    }

    /// The same, where readers must know it.
    pub(crate) fn nonstandard_style(&self) -> Option<Rc<TextStyle>> {
        self.nonstandard_style.clone()
    }

    /// Whether all rounds sent were answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.asked == self.answered
    }

    /// Whether, moreover, no transaction is open and the encoding is the one that was agreed on.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_answered() && !self.is_in_transaction() && !self.encoding_lost
    }

    /// Whether a transaction is open, be it failed.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.transaction != b'I'
    }

    /// Whether the transaction has failed, so that it, or a part of it, is to be rolled back.
    pub(crate) fn is_failed(&self) -> bool {
        self.transaction == b'E'
    }

    /// Whether `client_encoding` is not the one that was agreed on any more.
    pub(crate) fn is_encoding_lost(&self) -> bool {
        self.encoding_lost
    }

    /// Takes the body of a BackendKeyData.
    pub(crate) fn backend_key_data(&mut self, body: &[u8]) -> Result<(), ErrorKind> {
        let [process_id, secret_key] = body
            .as_chunks::<4>()
            .0
            .first_chunk::<2>()
            .filter(|_| body.len() == 8)
            .ok_or_else(|| ErrorKind::protocol("server sent a malformed key"))?;
        self.process_id = i32::from_be_bytes(*process_id);
        self.secret_key = i32::from_be_bytes(*secret_key);
        Ok(())
    }

    /// So many rounds are about to be sent.
    pub(crate) fn rounds_sent(&mut self, rounds: u64) {
        self.asked += rounds;
    }

    /// Takes the body of a ReadyForQuery: a round is answered.
    pub(crate) fn ready_for_query(&mut self, body: &[u8]) -> Result<(), ErrorKind> {
        let [transaction] = body else {
            return Err(ErrorKind::unexpected_message());
        };
        self.transaction = *transaction;
        self.answered += 1;
        self.status_bytes = 0;
        if self.answered > self.asked {
            return Err(ErrorKind::protocol(
                "server is ready without having been asked",
            ));
        }
        Ok(())
    }

    /// Takes the body of a ParameterStatus: name and value of a setting, each with a zero byte at its end.
    pub(crate) fn parameter_status(&mut self, body: &[u8]) -> Result<(), ErrorKind> {
        self.status_bytes += body.len();
        if self.status_bytes > STATUS_LIMIT {
            return Err(ErrorKind::protocol("server reported too many settings"));
        }
        if self.style.learn(body) {
            let nonstandard = self.style.is_nonstandard();
            self.nonstandard_style = nonstandard.then(|| Rc::new(self.style.clone()));
        } else if let Some(version) = value_of(body, b"server_version\0") {
            self.server_version = String::from_utf8_lossy(version).into_owned();
        } else if let Some(encoding) = value_of(body, b"client_encoding\0") {
            self.encoding_lost = encoding != self.encoding.name().as_bytes();
        }
        Ok(())
    }
}

/// The value of the setting of that name, if the report is of it.
fn value_of<'a>(report: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    report.strip_prefix(name)?.strip_suffix(b"\0")
}

#[cfg(test)]
mod tests;
