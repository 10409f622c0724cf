//! Servers played by the test, each connection in a thread of its own.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use plproxy_core::conninfo::parse;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with,
};

use crate::harness::{HANG, server};

/// Listens, and lets `script` play every connection. Returns the connection string.
pub fn serve(script: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let script = script.clone();
            std::thread::spawn(move || script(stream));
        }
    });
    format!("host=127.0.0.1 port={port} user=u dbname=d password=sesame sslmode=disable")
}

/// A server that takes the start-up and then answers every statement with these bytes, and stays.
pub fn answering(bytes: Vec<u8>) -> String {
    serve(move |mut stream| {
        if !greet(&mut stream) {
            return;
        }
        while read_round(&mut stream) {
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    })
}

pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![tag];
    message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    message.extend_from_slice(body);
    message
}

pub fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// What comes before the rows of an unnamed statement whose columns are of that type, in binary.
pub fn described(columns: u16, type_oid: u32) -> Vec<u8> {
    described_in(1, columns, type_oid)
}

/// The same in that format.
pub fn described_in(format: u8, columns: u16, type_oid: u32) -> Vec<u8> {
    let mut body = columns.to_be_bytes().to_vec();
    for column in 0..columns {
        body.extend_from_slice(format!("c{column}\0").as_bytes());
        body.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
        body.extend_from_slice(&type_oid.to_be_bytes());
        body.extend_from_slice(&[0xff, 0xff, 0, 0, 0, 0, 0, format]);
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

/// The end of a statement that gave one row.
pub fn done() -> Vec<u8> {
    [message(b'C', b"SELECT 1\0"), ready()].concat()
}

/// All of the answer to an unnamed statement that gives `x`.
pub fn answer() -> Vec<u8> {
    [described(1, 25), row(&[b"x"]), done()].concat()
}

pub fn complaint(tag: u8, severity: &str, code: &str, text: &str) -> Vec<u8> {
    message(
        tag,
        format!("S{severity}\0V{severity}\0C{code}\0M{text}\0\0").as_bytes(),
    )
}

/// Answers one statement on a Unix socket; false if nobody asked.
pub fn play_unix(mut stream: std::os::unix::net::UnixStream) -> bool {
    greet(&mut stream) && read_round(&mut stream) && stream.write_all(&answer()).is_ok()
}

/// Reads the start-up packet; false if it was something else, such as a cancel request.
pub fn read_startup(stream: &mut impl Read) -> bool {
    let mut length = [0; 4];
    if stream.read_exact(&mut length).is_err() {
        return false;
    }
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut body).is_ok() && body.starts_with(&[0, 3, 0, 0])
}

/// Lets the client in.
pub fn greet(stream: &mut (impl Read + Write)) -> bool {
    let welcome = [
        message(b'R', &[0, 0, 0, 0]),
        message(b'S', b"server_version\x0015.0\0"),
        message(b'K', &[0, 0, 0, 77, 0, 0, 0, 88]),
        ready(),
    ];
    read_startup(stream) && stream.write_all(&welcome.concat()).is_ok()
}

/// Reads messages up to a sync or a simple query.
pub fn read_round(stream: &mut impl Read) -> bool {
    loop {
        let mut header = [0; 5];
        if stream.read_exact(&mut header).is_err() {
            return false;
        }
        let mut body = vec![0; u32::from_be_bytes(header[1..].try_into().unwrap()) as usize - 4];
        if stream.read_exact(&mut body).is_err() {
            return false;
        }
        if matches!(header[0], b'S' | b'Q') {
            return true;
        }
    }
}

/// Keeps a connection open and says nothing.
pub fn stay_silent(_stream: TcpStream) {
    std::thread::sleep(10 * HANG);
}

/// An address at which connecting takes for ever: nobody accepts, and the queue is full. The sockets keep it so.
pub fn unreachable() -> (String, Vec<OwnedFd>) {
    let socket = |flags| socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    let listener = socket(SocketFlags::empty());
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&listener, 1).unwrap();
    let address = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
    let mut sockets = vec![listener];
    for _ in 0..4 {
        let filler = socket(SocketFlags::NONBLOCK);
        let _ = connect(&filler, &address);
        sockets.push(filler);
    }
    let connstr = format!("host=127.0.0.1 port={} user=u", address.port());
    (connstr, sockets)
}

fn real_server() -> (String, u16) {
    let params = parse(&server()).unwrap();
    (
        params.get("host").unwrap().to_owned(),
        params.get("port").unwrap().parse().unwrap(),
    )
}

/// A way to the real server on which another process id is announced, as poolers do. `host` and `port` come later in
/// the string and so win.
pub fn relay_with_other_process_id() -> String {
    relay_with_process_id(|own| own ^ 1)
}

/// The same with that process id.
pub fn relay_with_process_id(other: impl Fn(i32) -> i32 + Send + Sync + Clone + 'static) -> String {
    let relay = serve(move |client| {
        let upstream = TcpStream::connect(real_server()).unwrap();
        let (mut from_client, mut to_server) =
            (client.try_clone().unwrap(), upstream.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from_client, &mut to_server);
            let _ = to_server.shutdown(Shutdown::Both);
        });
        let (mut from_server, mut to_client) = (upstream, client);
        let mut header = [0; 5];
        while from_server.read_exact(&mut header).is_ok() {
            let mut body =
                vec![0; u32::from_be_bytes(header[1..].try_into().unwrap()) as usize - 4];
            from_server.read_exact(&mut body).unwrap();
            if header[0] == b'K' {
                let own = i32::from_be_bytes(body[..4].try_into().unwrap());
                body[..4].copy_from_slice(&other(own).to_be_bytes());
            }
            if to_client.write_all(&[&header[..], &body].concat()).is_err() {
                return;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let port = relay
        .split_whitespace()
        .find(|word| word.starts_with("port="))
        .unwrap()
        .to_owned();
    format!("{} host=127.0.0.1 {port} sslmode=disable", server())
}

/// The client's part of the nonce, out of its first message in SCRAM.
pub fn read_nonce(stream: &mut TcpStream) -> Option<String> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).ok()?;
    let mut body = vec![0; u32::from_be_bytes(header[1..].try_into().unwrap()) as usize - 4];
    stream.read_exact(&mut body).ok()?;
    let text = String::from_utf8_lossy(&body).into_owned();
    text.split_once(",r=").map(|(_, nonce)| nonce.to_owned())
}
