//! As much of PostgreSQL's protocol as it takes to break it.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A type that every server has: text.
pub const TEXT: u32 = 25;

/// A start-up packet, or what comes in its place.
pub enum Opening {
    /// With the name of the database.
    Startup(String),
    Tls,
    Cancel,
}

pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    framed(tag, body.len() as u32 + 4, body)
}

/// A message that claims some length.
pub fn framed(tag: u8, length: u32, body: &[u8]) -> Vec<u8> {
    let mut message = vec![tag];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    message
}

pub fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// What comes before the rows of an unnamed statement.
pub fn described(columns: u16) -> Vec<u8> {
    let mut body = columns.to_be_bytes().to_vec();
    for column in 0..columns {
        body.extend_from_slice(format!("c{column}\0").as_bytes());
        body.extend_from_slice(&[0; 6]);
        body.extend_from_slice(&TEXT.to_be_bytes());
        body.extend_from_slice(&[0xff, 0xff, 0, 0, 0, 0, 0, 1]);
    }
    [message(b'1', b""), message(b'2', b""), message(b'T', &body)].concat()
}

pub fn row(values: &[&[u8]]) -> Vec<u8> {
    let mut body = (values.len() as u16).to_be_bytes().to_vec();
    for value in values {
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
    }
    message(b'D', &body)
}

pub fn complaint(tag: u8, severity: &str, code: &str, text: &str) -> Vec<u8> {
    let body = format!("S{severity}\0V{severity}\0C{code}\0M{text}\0\0");
    message(tag, body.as_bytes())
}

pub fn welcome() -> Vec<u8> {
    [
        message(b'R', &[0, 0, 0, 0]),
        message(b'S', b"server_version\x0015.0\0"),
        message(b'S', b"client_encoding\0UTF8\0"),
        message(b'K', &[0, 0, 0, 77, 0, 0, 0, 88]),
        ready(),
    ]
    .concat()
}

pub fn read_opening(stream: &mut TcpStream) -> io::Result<Opening> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; (u32::from_be_bytes(length) as usize).clamp(4, 10_000) - 4];
    stream.read_exact(&mut body)?;
    let (code, rest) = body.split_at(4.min(body.len()));
    Ok(match code {
        [0, 3, 0, 0] => {
            let mut words = rest
                .split(|byte| *byte == 0)
                .map(|word| String::from_utf8_lossy(word).into_owned());
            let mut database = String::new();
            while let (Some(key), Some(value)) = (words.next(), words.next()) {
                if key == "database" {
                    database = value;
                }
            }
            Opening::Startup(database)
        }
        [4, 210, 22, 47] => Opening::Tls,
        _ => Opening::Cancel,
    })
}

/// Reads messages up to a sync or a simple query.
pub fn read_round(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        let mut header = [0; 5];
        stream.read_exact(&mut header)?;
        let [tag, a, b, c, d] = header;
        let length = u64::from(u32::from_be_bytes([a, b, c, d])).saturating_sub(4);
        io::copy(&mut Read::by_ref(stream).take(length), &mut io::sink())?;
        if matches!(tag, b'S' | b'Q') {
            return Ok(());
        }
    }
}

/// Sends the same again and again, until the other side has had enough.
pub fn for_ever(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let many = bytes.repeat((32 * 1024 / bytes.len().max(1)).max(1));
    loop {
        stream.write_all(&many)?;
    }
}
