//! A server that misbehaves as the name of the database asks it to.

use crate::wire::{
    Opening, complaint, described, for_ever, framed, message, read_opening, read_round, ready, row,
    welcome,
};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(600);

/// Gives the port of the broken server, and one at which connecting takes for ever.
pub fn start() -> io::Result<Vec<u16>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // It fails when the client has had enough, which is what the tests are for.
            thread::spawn(move || play(stream));
        }
    });
    Ok(vec![port, full()?])
}

/// Nobody accepts at this port, and its queue is full, so the kernel drops what else comes.
fn full() -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut queued = Vec::new();
    while let Ok(stream) = connect(&address) {
        queued.push(stream);
    }
    thread::spawn(move || {
        thread::sleep(FOR_EVER);
        drop((listener, queued));
    });
    Ok(address.port())
}

fn connect(address: &SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(address, Duration::from_millis(300))
}

fn play(mut stream: TcpStream) -> io::Result<()> {
    match read_opening(&mut stream)? {
        // Cancel requests are taken, and nothing comes of them.
        Opening::Cancel => stay(),
        // "Yes, go on", and then not a word.
        Opening::Tls => {
            stream.write_all(b"S")?;
            stay();
        }
        Opening::Startup(database) => {
            if !start_up(&mut stream, &database)? {
                return Ok(());
            }
            stream.write_all(&welcome())?;
            if database == "deaf" {
                stay();
            }
            loop {
                read_round(&mut stream)?;
                answer(&mut stream, &database)?;
            }
        }
    }
    Ok(())
}

/// The misbehaviour before the client is let in; false if that was all.
fn start_up(stream: &mut TcpStream, database: &str) -> io::Result<bool> {
    match database {
        "mute" => stay(),
        "auth_mute" => {
            stream.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"))?;
            stay();
        }
        "auth_loop" => for_ever(stream, &message(b'R', &[0, 0, 0, 0]))?,
        "auth_md5_loop" => loop {
            stream.write_all(&message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4]))?;
            read_password(stream)?;
        },
        "auth_unknown" => stream.write_all(&message(b'R', &[0, 0, 0, 99]))?,
        "settings_loop" => for_ever(stream, &message(b'S', b"a\0b\0"))?,
        "startup_garbage" => stream.write_all(&[0x5a; 4096])?,
        "startup_notices" => for_ever(stream, &complaint(b'N', "NOTICE", "00000", "again"))?,
        "startup_closed" => {}
        "startup_absurd" => {
            stream.write_all(&framed(b'R', u32::MAX >> 1, &[0; 100]))?;
            stay();
        }
        _ => return Ok(true),
    }
    Ok(false)
}

fn read_password(stream: &mut TcpStream) -> io::Result<()> {
    let mut header = [0; 5];
    stream.read_exact(&mut header)?;
    let [_, _, _, c, d] = header;
    let length = u64::from(u16::from_be_bytes([c, d])).saturating_sub(4);
    io::copy(&mut Read::by_ref(stream).take(length), &mut io::sink())?;
    Ok(())
}

/// The misbehaviour in place of an answer.
fn answer(stream: &mut TcpStream, database: &str) -> io::Result<()> {
    let (one, rows) = (row(&[b"x"]), described(1));
    let complete = message(b'C', b"SELECT 1\0");
    let bytes = match database {
        "silent" => {
            stay();
            return Ok(());
        }
        "garbage" => (0..4096_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect(),
        "zeros" => vec![0; 4096],
        "truncated" => {
            stream.write_all(rows.get(..rows.len() - 7).unwrap_or(&rows))?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        "truncated_row" => {
            stream.write_all(&rows)?;
            stream.write_all(one.get(..one.len() - 1).unwrap_or(&one))?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        "more_values" => [rows, row(&[b"x", b"y", b"z"]), complete, ready()].concat(),
        "fewer_values" => [rows, row(&[]), complete, ready()].concat(),
        "more_columns" => [described(3), row(&[b"x", b"y", b"z"]), complete, ready()].concat(),
        "no_columns" => [described(0), row(&[]), complete, ready()].concat(),
        "absurd_count" => [rows, framed(b'D', 6, &[0xff, 0xff]), complete, ready()].concat(),
        "absurd_length" => [rows, framed(b'D', u32::MAX >> 1, &[0, 1, 0, 0])].concat(),
        "negative_length" => [rows, framed(b'D', u32::MAX, &[0, 1])].concat(),
        "short_length" => [rows, framed(b'D', 3, &[0, 1])].concat(),
        "absurd_value" => [rows, message(b'D', &[0, 1, 0x7f, 0xff, 0xff, 0xff, b'x'])].concat(),
        "negative_value" => [rows, message(b'D', &[0, 1, 0x80, 0, 0, 0, b'x'])].concat(),
        "unknown_message" => message(b'~', b"what is this"),
        "row_first" => [one, complete, ready()].concat(),
        "ready_only" => ready(),
        "error_after_rows" => [
            rows,
            one.repeat(1000),
            complaint(b'E', "ERROR", "22012", "division by zero"),
            ready(),
        ]
        .concat(),
        "error_bare" => [message(b'E', b"\0"), ready()].concat(),
        "error_endless" => {
            stream.write_all(&framed(b'E', u32::MAX >> 2, b"SERROR\0C22012\0M"))?;
            return for_ever(stream, b"x");
        }
        "bad_text" => [rows, row(&[&[0xc3, 0x28, 0xff]]), complete, ready()].concat(),
        "notices" => return for_ever(stream, &complaint(b'N', "NOTICE", "00000", "again")),
        "rows" => {
            stream.write_all(&rows)?;
            return for_ever(stream, &one);
        }
        // After a row, and after the end of the rows: what nobody listens to.
        "notifications" => {
            stream.write_all(&[rows, one].concat())?;
            return for_ever(stream, &message(b'A', b"\0\0\0\x01channel\0payload\0"));
        }
        "notifications_late" => {
            stream.write_all(&[rows, one, complete].concat())?;
            return for_ever(stream, &message(b'A', b"\0\0\0\x01channel\0payload\0"));
        }
        "errors_late" => {
            stream.write_all(&[rows, one].concat())?;
            return for_ever(stream, &complaint(b'E', "ERROR", "22012", "again"));
        }
        "dribble" => {
            stream.write_all(&rows)?;
            stream.write_all(&framed(b'D', 1 << 29, &[0, 1, 0x1f, 0xff, 0xff, 0xf0]))?;
            loop {
                stream.write_all(b"x")?;
                thread::sleep(Duration::from_millis(5));
            }
        }
        _ => complaint(b'E', "ERROR", "0A000", "no such misbehaviour"),
    };
    stream.write_all(&bytes)
}

fn stay() {
    thread::sleep(FOR_EVER);
}
