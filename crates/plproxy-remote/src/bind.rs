//! Changes to the message that binds parameters, on its way to the socket.
//!
//! Two things are done here that the client library does not do. It copies what it sends twice, and keeps the memory: so
//! a large parameter is left out of what the library gets to see, it sends an empty value in its place, and here the
//! message is given its true lengths and the values are put in. And the library asks for all results in binary: where
//! text is wanted, the message is made to say so.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::params::Param;
use crate::room::is_room_for;
use crate::rows::Format;

/// From that many bytes on a parameter is large.
const LARGE: usize = 256 * 1024;
/// From that many bytes on it is seen first whether there is memory for the small ones of a message.
const PROBED: usize = 1 << 20;
/// All parameters of one message together: PostgreSQL takes no more.
const LIMIT: usize = (1 << 30) - 1;
/// The end of the message as the library writes it: one format for all columns, binary.
const BINARY_RESULTS: [u8; 4] = [0, 1, 0, 1];
/// The same with text.
const TEXT_RESULTS: [u8; 4] = [0, 1, 0, 0];

/// The bytes to put in, if the parameter is a large one.
pub(crate) fn large(param: &Param) -> Option<&[u8]> {
    match param {
        Param::Text(bytes) | Param::Binary(bytes) if bytes.len() >= LARGE => Some(bytes),
        _ => None,
    }
}

/// What a message is to be given.
pub(crate) struct Edit {
    params: Rc<[Param]>,
    results: Format,
}

impl Edit {
    /// What these parameters and that form of results need: `None` if the library's own message is right. Fails if they
    /// cannot be sent at all.
    pub(crate) fn new(params: &Rc<[Param]>, results: Format) -> Result<Option<Edit>, &'static str> {
        let sizes = params.iter().filter_map(large).map(<[u8]>::len);
        let size = sizes.fold(0, usize::saturating_add);
        if size > LIMIT {
            return Err("the parameters are too large to be sent");
        }
        // The others are the library's, which ends the process where there is no memory for its copies: two, each taken by
        // doubling, and what is left of a message that is changed.
        let copied = params.iter().filter(|param| large(param).is_none());
        let copied = copied.fold(0, |all: usize, param| all.saturating_add(param.len()));
        let room = copied.saturating_mul(6);
        if copied > PROBED && !is_room_for(room) {
            return Err("out of memory for the parameters");
        }
        let needed = size > 0 || results == Format::Text;
        Ok(needed.then(|| Edit {
            params: params.clone(),
            results,
        }))
    }
}

/// The edit that waits for the next message that binds, and what of edited messages is on its way.
#[derive(Default)]
pub(crate) struct Binder {
    waiting: Option<Edit>,
    parts: VecDeque<Part>,
    /// Bytes of the first part that are sent.
    sent: usize,
}

enum Part {
    Bytes(Vec<u8>),
    Param(Rc<[Param]>, usize),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Part::Bytes(bytes) => bytes,
            Part::Param(params, at) => params.get(*at).and_then(large).unwrap_or_default(),
        }
    }
}

impl Binder {
    /// The next message that binds parameters is edited so. `None` takes the order back.
    pub(crate) fn order(&mut self, edit: Option<Edit>) {
        self.waiting = edit;
    }

    /// Whether everything edited is on its way.
    pub(crate) fn is_sent(&self) -> bool {
        self.parts.is_empty()
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Takes all of `bytes`, which begin with a message, if the one that binds parameters is among them, and edits it.
    /// All, so that what was to be sent at once is sent at once. Whether it did.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let mut begin = 0;
        while let Some(message) = bytes.get(begin..).filter(|rest| !rest.is_empty()) {
            let length = number(message, 1).and_then(|length| length.checked_add(1));
            let message = length
                .and_then(|length| message.get(..length))
                .ok_or_else(unexpected)?;
            let end = begin + message.len();
            if message.first() == Some(&b'B') {
                let Some(edit) = self.waiting.take() else {
                    return Ok(false);
                };
                let before = bytes.get(..begin).unwrap_or_default();
                let after = bytes.get(end..).unwrap_or_default();
                self.edit(before, message, after, &edit)
                    .ok_or_else(unexpected)?;
                return Ok(true);
            }
            begin = end;
        }
        Ok(false)
    }

    /// Puts the edited message on its way, between what stands before and behind it.
    fn edit(&mut self, before: &[u8], message: &[u8], after: &[u8], edit: &Edit) -> Option<()> {
        let mut at = 5;
        for _name in 0..2 {
            at += message.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
        }
        at += 2 + 2 * short(message, at)?;
        if short(message, at)? != edit.params.len() {
            return None;
        }
        at += 2;
        let mut head = Vec::with_capacity(before.len() + message.len() + after.len());
        head.extend_from_slice(before);
        head.extend_from_slice(message.get(..at)?);
        let mut total = message.len() - 1;
        let mut parts = VecDeque::new();
        for (index, param) in edit.params.iter().enumerate() {
            let length = message.get(at..at + 4)?;
            at += 4;
            if let Some(value) = large(param) {
                head.extend_from_slice(&u32::try_from(value.len()).ok()?.to_be_bytes());
                parts.push_back(Part::Bytes(std::mem::take(&mut head)));
                parts.push_back(Part::Param(edit.params.clone(), index));
                total += value.len();
            } else {
                let value = match length {
                    [0xff, 0xff, 0xff, 0xff] => &[],
                    _ => message.get(at..at + number(length, 0)?)?,
                };
                head.extend_from_slice(length);
                head.extend_from_slice(value);
                at += value.len();
            }
        }
        if message.get(at..)? != BINARY_RESULTS {
            return None;
        }
        head.extend_from_slice(match edit.results {
            Format::Binary => &BINARY_RESULTS,
            Format::Text => &TEXT_RESULTS,
        });
        head.extend_from_slice(after);
        parts.push_back(Part::Bytes(head));
        match parts.front_mut()? {
            Part::Bytes(bytes) => bytes
                .get_mut(before.len() + 1..before.len() + 5)?
                .copy_from_slice(&u32::try_from(total).ok()?.to_be_bytes()),
            Part::Param(..) => return None,
        }
        self.parts.append(&mut parts);
        Some(())
    }

    /// Sends what is on its way.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        mut socket: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        while let Some(part) = self.parts.front() {
            let rest = part.bytes().get(self.sent..).unwrap_or_default();
            if rest.is_empty() {
                self.parts.pop_front();
                self.sent = 0;
                continue;
            }
            match ready!(socket.as_mut().poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The library sends whole messages at a time, and only such as are known here. Were it ever otherwise, nothing may go
/// out with an empty value in it, and no text may be taken for binary.
fn unexpected() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a message that binds parameters could not be changed",
    )
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(
        bytes.get(at..at + 2)?.try_into().ok()?,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
    }

    /// A message that binds these values, formats all text.
    fn bind(values: &[Option<&[u8]>], results: [u8; 4]) -> Vec<u8> {
        let count = (values.len() as u16).to_be_bytes();
        let mut body = [b"\0s1\0", &count[..]].concat();
        values.iter().for_each(|_| body.extend_from_slice(&[0, 0]));
        body.extend_from_slice(&count);
        for value in values {
            body.extend_from_slice(
                &value
                    .map_or(u32::MAX, |value| value.len() as u32)
                    .to_be_bytes(),
            );
            body.extend_from_slice(value.unwrap_or_default());
        }
        body.extend_from_slice(&results);
        message(b'B', &body)
    }

    fn order(params: Vec<Param>, results: Format) -> Binder {
        let mut binder = Binder::default();
        binder.order(Edit::new(&params.into(), results).unwrap());
        binder
    }

    #[test]
    fn the_message_is_what_it_would_have_been() {
        let check = |params: Vec<Param>, results: Format| {
            let values: Vec<_> = params
                .iter()
                .map(|param| match param {
                    Param::Null => None,
                    Param::Text(bytes) | Param::Binary(bytes) => Some(bytes.as_slice()),
                })
                .collect();
            let left_out: Vec<_> = params
                .iter()
                .zip(&values)
                .map(|(param, value)| {
                    if large(param).is_some() {
                        Some(&[][..])
                    } else {
                        *value
                    }
                })
                .collect();
            let wanted = match results {
                Format::Binary => BINARY_RESULTS,
                Format::Text => TEXT_RESULTS,
            };
            let parse = message(b'P', b"\0select\0\0\0");
            let execute = message(b'E', b"\0\0\0\0\0");
            let seen = [&parse[..], &bind(&left_out, BINARY_RESULTS), &execute].concat();
            let mut binder = order(params.clone(), results);
            assert!(binder.take(&seen).unwrap());
            let sent: Vec<u8> = binder
                .parts
                .iter()
                .flat_map(|part| part.bytes().to_vec())
                .collect();
            assert!(
                sent == [parse, bind(&values, wanted), execute].concat(),
                "{params:?} {results:?}"
            );
            assert!(!binder.is_waiting());
        };
        let small = || Param::Text(b"small".to_vec());
        let large = |byte| Param::Binary(vec![byte; LARGE]);
        for results in [Format::Binary, Format::Text] {
            check(vec![large(1)], results);
            check(vec![small(), large(1), Param::Null], results);
            check(vec![large(1), large(2), small(), large(3)], results);
        }
        check(vec![], Format::Text);
        check(vec![small(), Param::Null], Format::Text);
    }

    #[test]
    fn what_is_not_understood_is_not_sent() {
        let check = |params: Vec<Param>, seen: &[u8]| {
            let mut binder = order(params, Format::Text);
            assert!(binder.take(seen).is_err(), "{seen:?}");
            assert!(binder.parts.is_empty());
        };
        let null = || vec![Param::Null];
        check(null(), &bind(&[], BINARY_RESULTS));
        check(null(), &bind(&[None], TEXT_RESULTS));
        check(null(), &bind(&[None], BINARY_RESULTS)[..9]);
        check(null(), &message(b'B', b"\0"));
        check(null(), &message(b'B', b"\0s1\0\0\x09"));
    }

    #[test]
    fn what_binds_nothing_is_left_alone() {
        let mut binder = order(vec![Param::Null], Format::Text);
        assert!(!binder.take(&message(b'C', b"Ss1\0")).unwrap());
        assert!(binder.is_waiting());
        binder.order(None);
        assert!(!binder.take(&bind(&[None], BINARY_RESULTS)).unwrap());
    }

    #[test]
    fn most_messages_are_right_as_they_are() {
        let check = |params: &[Param], results, expected| {
            let edit = Edit::new(&params.into(), results).unwrap();
            assert_eq!(edit.is_some(), expected, "{params:?} {results:?}");
        };
        let text = |length| Param::Text(vec![0; length]);
        check(&[Param::Null, text(LARGE - 1)], Format::Binary, false);
        check(&[Param::Null, text(LARGE)], Format::Binary, true);
        check(&[], Format::Text, true);
    }
}
