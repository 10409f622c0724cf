//! What can be learnt from the bytes of a connection as they pass.
//!
//! The client library keeps to itself what this crate needs to know: the server's process id, whether a transaction is
//! open, whether every statement sent was answered, the types of result columns. The monitor reads them from the
//! stream. It also refuses what no honest server sends, before it takes memory or time, and it replaces the type ids in
//! descriptions by that of `unknown`: the library would look unknown ids up with statements of its own, one within the
//! other for as long as the server likes. Values are handled as bytes here, so that it needs no types. Nor does it need
//! names, which it takes to be UTF-8 and gives a connection up for if they are not: it gets to see ASCII.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use crate::authentication::Authentication;
use crate::encoding::Encoding;
use crate::error::COPY;
use crate::room::is_room_for;
use crate::rows::{ColumnDescription, TextStyle, describe};

/// A message may be that long: PostgreSQL's limit for a value, and room for a row around it.
const MESSAGE_LIMIT: usize = (1 << 30) + (1 << 24);
/// Errors, notices and notifications, which may hold a statement's text.
const REPORT_LIMIT: usize = 1 << 26;
/// From that size on it is seen first whether there is memory for a message.
const PROBED: usize = 1 << 15;
/// All others; a table has at most 1664 columns to describe.
const COLLECT_LIMIT: usize = 1 << 22;
/// All that may come before the server is ready for the first time.
const STARTUP_LIMIT: usize = 1 << 20;
/// Settings reported between two statements; the library keeps them.
const STATUS_LIMIT: usize = 1 << 17;
/// The id of the type `unknown`.
const UNKNOWN: [u8; 4] = 705_u32.to_be_bytes();

thread_local! {
    /// The room that all large messages need which are under way.
    static PROMISED: Cell<usize> = const { Cell::new(0) };
}

/// Room for a large message; none any more when it is dropped.
struct Promise(usize);

impl Promise {
    /// Sees whether there is room for it beside the others. As parts of those may have come, it asks for more than is needed.
    fn of(room: usize) -> Option<Promise> {
        let all = PROMISED.get().checked_add(room)?;
        if !is_room_for(all) {
            return None;
        }
        PROMISED.set(all);
        Some(Promise(room))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        PROMISED.set(PROMISED.get().saturating_sub(self.0));
    }
}

/// Where the reader stands in a stream of messages.
#[derive(Default)]
struct Framing {
    header: [u8; 5],
    have: usize,
    /// Bytes of the current message's body still to come.
    rest: usize,
}

pub(crate) struct Monitor {
    incoming: Framing,
    outgoing: Framing,
    /// The first message sent has no tag.
    greeted: bool,
    authentication: Authentication,
    encoding: Encoding,
    startup_bytes: usize,
    status_bytes: usize,
    collected: Vec<u8>,
    /// For the current message.
    promise: Option<Promise>,
    field: Field,
    process_id: i32,
    transaction: u8,
    /// The session was made to speak another encoding than the one that was agreed on.
    encoding_lost: bool,
    style: TextStyle,
    peculiar_style: Option<Rc<TextStyle>>,
    asked: u64,
    answered: u64,
    /// Descriptions of columns are of no interest at the moment.
    overlooks_columns: bool,
    descriptions: VecDeque<(u64, Rc<[ColumnDescription]>)>,
    /// While a string of statements is run: the command tag of the last one that is over.
    script: Option<String>,
}

/// Where in a description the next byte belongs.
#[derive(Clone, Copy)]
enum Field {
    Count(u8),
    Name,
    Fixed(u8),
    Parameter(u8),
}

impl Monitor {
    pub(crate) fn new(authentication: Authentication, encoding: Encoding) -> Monitor {
        Monitor {
            incoming: Framing::default(),
            outgoing: Framing::default(),
            greeted: false,
            authentication,
            encoding,
            startup_bytes: 0,
            status_bytes: 0,
            collected: Vec::new(),
            promise: None,
            field: Field::Name,
            process_id: 0,
            transaction: 0,
            encoding_lost: false,
            style: TextStyle::default(),
            peculiar_style: None,
            asked: 1,
            answered: 0,
            overlooks_columns: false,
            descriptions: VecDeque::new(),
            script: None,
        }
    }

    /// The process that the start-up named.
    pub(crate) fn process_id(&self) -> i32 {
        self.process_id
    }

    /// Whether the server is content with who we are.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.authentication.is_done()
    }

    /// Whether the server asked for a password, and got it.
    pub(crate) fn used_password(&self) -> bool {
        self.authentication.used_password()
    }

    /// How the server writes values as text.
    pub(crate) fn style(&self) -> &TextStyle {
        &self.style
    }

    /// The same, where it is not as everybody reads it.
    pub(crate) fn peculiar_style(&self) -> Option<Rc<TextStyle>> {
        self.peculiar_style.clone()
    }

    /// How many rounds (a simple query, or what a sync ends) were sent; the start-up counts as the first.
    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    /// Whether all rounds sent were answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.asked == self.answered
    }

    /// Whether, moreover, no transaction is open and the session is as it was.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_answered()
            && self.transaction == b'I'
            && !self.encoding_lost
            && self.is_between_messages()
    }

    /// Whether no message has come in part.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.incoming.have == 0 && self.incoming.rest == 0
    }

    /// The columns that were described in the given round; older ones are forgotten.
    pub(crate) fn description(&mut self, round: u64) -> Option<Rc<[ColumnDescription]>> {
        while self.descriptions.front().is_some_and(|(of, _)| *of < round) {
            self.descriptions.pop_front();
        }
        match self.descriptions.front() {
            Some((of, _)) if *of == round => {
                self.descriptions.pop_front().map(|(_, columns)| columns)
            }
            _ => None,
        }
    }

    /// From now on, whether descriptions of columns are of no interest. Then a round may have any number of them.
    pub(crate) fn overlook_columns(&mut self, overlook: bool) {
        self.overlooks_columns = overlook;
    }

    /// From here on a round may have several statements, whose command tags are looked at.
    pub(crate) fn begin_script(&mut self) {
        self.script = Some(String::new());
    }

    /// The command tag of the last statement.
    pub(crate) fn tag_of_script(&self) -> &str {
        self.script.as_deref().unwrap_or_default()
    }

    /// A round has one statement again.
    pub(crate) fn end_script(&mut self) {
        self.script = None;
    }

    /// Looks at bytes that went out.
    pub(crate) fn sent(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            let framing = &mut self.outgoing;
            if framing.rest > 0 {
                let taken = framing.rest.min(bytes.len());
                framing.rest -= taken;
                bytes = bytes.get(taken..).unwrap_or_default();
                continue;
            }
            bytes = bytes.get(1..).unwrap_or_default();
            if !self.greeted && framing.have == 0 {
                // The tag that the first message lacks.
                framing.have = 1;
            }
            let (_, length, complete) = framing.push(byte);
            if complete {
                let tag = framing.header.first().copied().unwrap_or_default();
                framing.rest = length.saturating_sub(4);
                if self.greeted && matches!(tag, b'S' | b'Q') {
                    self.asked += 1;
                }
                self.greeted = true;
            }
        }
    }

    /// Looks at bytes that came in, and changes the type ids among them.
    pub(crate) fn received(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        if self.answered == 0 {
            self.startup_bytes += bytes.len();
            if self.startup_bytes > STARTUP_LIMIT {
                return Err(refuse("server sent too much before it was ready"));
            }
        }
        while let Some(&first) = bytes.first() {
            if self.incoming.rest > 0 {
                let taken = self.incoming.rest.min(bytes.len());
                let (body, after) = std::mem::take(&mut bytes).split_at_mut(taken);
                bytes = after;
                self.incoming.rest -= taken;
                self.body(body)?;
            } else {
                bytes = bytes.get_mut(1..).unwrap_or_default();
                let (_, length, complete) = self.incoming.push(first);
                if !complete {
                    continue;
                }
                // The library keeps a message until it is whole, whatever it is.
                if !(4..=limit(self.tag())).contains(&length) {
                    return Err(refuse("server sent a message of an impossible length"));
                }
                self.incoming.rest = length - 4;
                self.begin()?;
            }
            if self.incoming.have == 0 && self.incoming.rest == 0 {
                self.end()?;
            }
        }
        Ok(())
    }

    fn tag(&self) -> u8 {
        self.incoming.header.first().copied().unwrap_or_default()
    }

    /// A message's header is complete.
    fn begin(&mut self) -> io::Result<()> {
        // The library takes memory for a message as it comes and ends the process where there is none. So it is seen here,
        // before, whether there would be.
        self.promise = None;
        if self.incoming.rest > PROBED {
            let promise = Promise::of(self.incoming.rest.saturating_mul(3));
            if promise.is_none() {
                return Err(refuse("out of memory for a message of the server"));
            }
            self.promise = promise;
        }
        match self.tag() {
            b'T' | b't' => self.field = Field::Count(0),
            b'S' => self.count_status(self.incoming.rest)?,
            b'R' | b'K' | b'Z' => {}
            b'C' | b'I' if self.script.is_some() => {}
            // The connection is of no use any more: the server waits for data, or sends them.
            b'G' | b'H' | b'W' => return Err(refuse(COPY)),
            _ => return Ok(()),
        }
        self.collected.clear();
        Ok(())
    }

    fn body(&mut self, body: &mut [u8]) -> io::Result<()> {
        match self.tag() {
            b'T' | b't' => {
                self.collected.extend_from_slice(body);
                self.simplify(body);
            }
            b'S' => {
                self.collected.extend_from_slice(body);
                to_ascii(body);
            }
            // Notifications, which nobody listens to.
            b'A' => to_ascii(body),
            b'R' | b'K' | b'Z' => self.collected.extend_from_slice(body),
            b'C' | b'I' if self.script.is_some() => self.collected.extend_from_slice(body),
            _ => {}
        }
        Ok(())
    }

    /// Hides types and names from the library.
    fn simplify(&mut self, body: &mut [u8]) {
        let parameters = self.tag() == b't';
        for byte in body {
            self.field = match self.field {
                Field::Count(0) => Field::Count(1),
                Field::Count(_) if parameters => Field::Parameter(0),
                Field::Count(_) => Field::Name,
                Field::Name if *byte == 0 => Field::Fixed(0),
                Field::Name => {
                    to_ascii(std::slice::from_mut(byte));
                    Field::Name
                }
                // Table 4 bytes, column 2, type 4, then its length 2, modifier 4 and format 2.
                Field::Fixed(at) => {
                    if let Some(unknown) = at
                        .checked_sub(6)
                        .and_then(|at| UNKNOWN.get(usize::from(at)))
                    {
                        *byte = *unknown;
                    }
                    if at == 17 {
                        Field::Name
                    } else {
                        Field::Fixed(at + 1)
                    }
                }
                Field::Parameter(at) => {
                    *byte = UNKNOWN.get(usize::from(at)).copied().unwrap_or_default();
                    Field::Parameter((at + 1) % 4)
                }
            };
        }
    }

    /// A message is over.
    fn end(&mut self) -> io::Result<()> {
        match self.tag() {
            b'T' if self.overlooks_columns => {}
            // Nobody asks for the columns of a script.
            b'T' if self.script.is_some() => {}
            b'C' | b'I' => {
                if let Some(tag) = &mut self.script {
                    let text = self.collected.strip_suffix(b"\0").unwrap_or_default();
                    *tag = String::from_utf8_lossy(text).into_owned();
                }
            }
            b'T' => {
                let columns = describe(&self.collected)
                    .ok_or_else(|| refuse("server sent a malformed description of columns"))?;
                // One round has one statement, and so one description.
                if self
                    .descriptions
                    .back()
                    .is_some_and(|(round, _)| *round == self.answered)
                {
                    return Err(refuse(
                        "server described the columns of one statement twice",
                    ));
                }
                self.descriptions.push_back((self.answered, columns));
            }
            b'K' => self.process_id = number(&self.collected, 0).unwrap_or_default() as i32,
            b'Z' => {
                let transaction = self.collected.first().copied();
                return self.ready(transaction.unwrap_or_default());
            }
            b'R' => self
                .authentication
                .question(&self.collected)
                .map_err(refuse)?,
            b'S' => {
                let report = std::mem::take(&mut self.collected);
                self.learn(&report);
                self.collected = report;
            }
            _ => {}
        }
        Ok(())
    }

    /// So many rounds are sent without the library.
    pub(crate) fn asks(&mut self, rounds: u64) {
        self.asked += rounds;
    }

    /// A round is over.
    pub(crate) fn ready(&mut self, transaction: u8) -> io::Result<()> {
        self.transaction = transaction;
        self.answered += 1;
        self.status_bytes = 0;
        if self.answered > self.asked {
            return Err(refuse("server is ready without having been asked"));
        }
        Ok(())
    }

    /// The server reports a setting, which the library does not get to see.
    pub(crate) fn reported(&mut self, report: &[u8]) -> io::Result<()> {
        self.count_status(report.len())?;
        self.learn(report);
        Ok(())
    }

    fn count_status(&mut self, length: usize) -> io::Result<()> {
        self.status_bytes += length;
        if self.answered > 0 && self.status_bytes > STATUS_LIMIT {
            return Err(refuse("server reported too many settings"));
        }
        Ok(())
    }

    fn learn(&mut self, report: &[u8]) {
        if self.style.learn(report) {
            let peculiar = self.style.is_peculiar();
            self.peculiar_style = peculiar.then(|| Rc::new(self.style.clone()));
        }
        if let Some(encoding) = report.strip_prefix(b"client_encoding\0") {
            let agreed = self.encoding.name().as_bytes();
            self.encoding_lost = self.answered > 0 && encoding.strip_suffix(b"\0") != Some(agreed);
        }
    }
}

/// How long a message with that tag may be, by what its length says.
pub(crate) fn limit(tag: u8) -> usize {
    match tag {
        b'D' | b'd' => MESSAGE_LIMIT,
        b'E' | b'N' | b'A' => REPORT_LIMIT,
        _ => COLLECT_LIMIT,
    }
}

impl Framing {
    /// Takes one byte of a header: the bytes had, the length if complete, and whether it is.
    fn push(&mut self, byte: u8) -> (usize, usize, bool) {
        if let Some(slot) = self.header.get_mut(self.have) {
            *slot = byte;
        }
        self.have += 1;
        if self.have < self.header.len() {
            return (self.have, 0, false);
        }
        self.have = 0;
        (
            self.header.len(),
            number(&self.header, 1).unwrap_or_default() as usize,
            true,
        )
    }
}

fn refuse(words: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words.into())
}

/// Puts a question mark in the place of every byte that is not ASCII.
fn to_ascii(text: &mut [u8]) {
    for byte in text.iter_mut().filter(|byte| !byte.is_ascii()) {
        *byte = b'?';
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
