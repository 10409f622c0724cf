//! As much of HTTP/1.1 as one request and its answer need.

use std::io::{self, BufRead, Read, Write};

const MOST_BODY: u64 = 16 << 20;
const MOST_HEAD: u64 = 64 << 10;

/// A request line and what came after the headers.
pub struct Request {
    pub line: String,
    pub body: String,
}

/// Reads a request whose length its `Content-Length` tells.
pub fn read(reader: &mut impl BufRead) -> io::Result<Request> {
    let mut head = reader.take(MOST_HEAD);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        if head.read_line(&mut header)? == 0 {
            return Err(io::Error::other("a whole request"));
        }
        if header.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    if length > MOST_BODY {
        return Err(io::Error::other("a smaller request"));
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    Ok(Request { line, body })
}

/// Writes an answer after which the connection is closed.
pub fn write(mut stream: impl Write, status: &str, body: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}
