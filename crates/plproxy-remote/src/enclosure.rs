//! Large parameters, which go from where they are to the socket.
//!
//! The client library copies what it sends twice, and keeps the memory. So a large parameter is left out of what the
//! library gets to see: it sends an empty value in its place. On the way to the socket the message that binds the
//! parameters is given its true lengths, and the values are put in.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::params::Param;

/// From that many bytes on a parameter is large.
const LARGE: usize = 256 * 1024;
/// All parameters of one message together: PostgreSQL takes no more.
const LIMIT: usize = (1 << 30) - 1;

/// The bytes to put in, if the parameter is a large one.
pub(crate) fn large(param: &Param) -> Option<&[u8]> {
    match param {
        Param::Text(bytes) | Param::Binary(bytes) if bytes.len() >= LARGE => Some(bytes),
        _ => None,
    }
}

/// Whether there are large parameters, and whether they can be sent at all.
pub(crate) fn any_large(params: &[Param]) -> Result<bool, &'static str> {
    let sizes = params.iter().filter_map(large).map(<[u8]>::len);
    match sizes.fold(0, usize::saturating_add) {
        0 => Ok(false),
        size if size > LIMIT => Err("the parameters are too large to be sent"),
        _ => Ok(true),
    }
}

/// What waits to be put into the next message, and what is on its way.
#[derive(Default)]
pub(crate) struct Enclosures {
    waiting: Option<Rc<[Param]>>,
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

impl Enclosures {
    /// The next message that binds parameters gets the large ones of these. `None` takes the order back.
    pub(crate) fn enclose(&mut self, params: Option<Rc<[Param]>>) {
        self.waiting = params;
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Takes the messages up to and with the one that binds parameters out of `bytes`, which begin with a message.
    /// How many bytes that is; none if that message is not there.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut begin = 0;
        while let Some(message) = bytes.get(begin..).filter(|rest| !rest.is_empty()) {
            let length = number(message, 1).and_then(|length| length.checked_add(1));
            let message = length
                .and_then(|length| message.get(..length))
                .ok_or_else(unexpected)?;
            begin += message.len();
            if message.first() == Some(&b'B') {
                let Some(params) = self.waiting.take() else {
                    return Ok(0);
                };
                let before = bytes.get(..begin - message.len()).unwrap_or_default();
                self.parts.push_back(Part::Bytes(before.to_vec()));
                self.fill(message, params).ok_or_else(unexpected)?;
                return Ok(begin);
            }
        }
        Ok(0)
    }

    /// Puts the large parameters into the message.
    fn fill(&mut self, message: &[u8], params: Rc<[Param]>) -> Option<()> {
        let mut at = 5;
        for _name in 0..2 {
            at += message.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
        }
        at += 2 + 2 * short(message, at)?;
        if short(message, at)? != params.len() {
            return None;
        }
        at += 2;
        let mut head = message.get(..at)?.to_vec();
        let first = self.parts.len();
        let mut total = message.len() - 1;
        for (index, param) in params.iter().enumerate() {
            let length = message.get(at..at + 4)?;
            at += 4;
            if let Some(value) = large(param) {
                head.extend_from_slice(&u32::try_from(value.len()).ok()?.to_be_bytes());
                self.parts.push_back(Part::Bytes(std::mem::take(&mut head)));
                self.parts.push_back(Part::Param(params.clone(), index));
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
        head.extend_from_slice(message.get(at..)?);
        self.parts.push_back(Part::Bytes(head));
        match self.parts.get_mut(first)? {
            Part::Bytes(bytes) => bytes
                .get_mut(1..5)?
                .copy_from_slice(&u32::try_from(total).ok()?.to_be_bytes()),
            Part::Param(..) => return None,
        }
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
/// out with an empty value in it.
fn unexpected() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "parameters could not be put into a message",
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

    /// A message that binds these values, formats all text, results binary.
    fn bind(values: &[Option<&[u8]>]) -> Vec<u8> {
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
        body.extend_from_slice(&[0, 1, 0, 1]);
        message(b'B', &body)
    }

    #[test]
    fn the_message_is_what_it_would_have_been() {
        let check = |params: Vec<Param>| {
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
            let parse = message(b'P', b"\0select\0\0\0");
            let execute = message(b'E', b"\0\0\0\0\0");
            let seen = [parse.clone(), bind(&left_out), execute.clone()].concat();
            let mut enclosures = Enclosures::default();
            enclosures.enclose(Some(params.clone().into()));
            let taken = enclosures.take(&seen).unwrap();
            assert_eq!(taken, seen.len() - execute.len());
            let sent: Vec<u8> = enclosures
                .parts
                .iter()
                .flat_map(|part| part.bytes().to_vec())
                .collect();
            assert!(sent == [parse, bind(&values)].concat(), "{params:?}");
            assert!(!enclosures.is_waiting());
        };
        let small = || Param::Text(b"small".to_vec());
        let large = |byte| Param::Binary(vec![byte; LARGE]);
        check(vec![large(1)]);
        check(vec![small(), large(1), Param::Null]);
        check(vec![large(1), large(2), small(), large(3)]);
    }

    #[test]
    fn what_binds_nothing_is_left_alone() {
        let mut enclosures = Enclosures::default();
        enclosures.enclose(Some([Param::Text(vec![0; LARGE])].into()));
        assert_eq!(enclosures.take(&message(b'C', b"Ss1\0")).unwrap(), 0);
        assert!(enclosures.is_waiting());
        assert!(
            enclosures.take(&bind(&[])).is_err(),
            "another number of parameters"
        );
    }

    #[test]
    fn sizes_are_known_before() {
        let large = || Param::Text(vec![0; LARGE]);
        assert_eq!(
            any_large(&[Param::Null, Param::Text(vec![0; LARGE - 1])]),
            Ok(false)
        );
        assert_eq!(any_large(&[Param::Null, large()]), Ok(true));
    }
}
