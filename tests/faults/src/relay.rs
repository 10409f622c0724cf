//! A relay that passes on, loses or holds back what it is given, as a file says: `pass`, `lose` or `hold`.
//!
//! `lose` reads and forgets, as a network does that drops the packets of one side after the kernel has taken them; `hold`
//! reads nothing, so the sender's bytes are not taken any more.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(5);

/// Gives the relay's own port.
pub fn start(port: u16, file: String) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let file = file.clone();
            thread::spawn(move || join(stream, port, &file));
        }
    });
    Ok(own)
}

fn join(client: TcpStream, port: u16, file: &str) -> io::Result<()> {
    // A connection that comes while nothing passes is held: it was accepted by the kernel, and that is all.
    while mode(file) != "pass" {
        thread::sleep(LOOK);
    }
    let server = TcpStream::connect(("127.0.0.1", port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    let name = file.to_owned();
    thread::spawn(move || pass(from, to, &name));
    pass(server, client, file)
}

fn pass(mut from: TcpStream, mut to: TcpStream, file: &str) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        while mode(file) == "hold" {
            thread::sleep(LOOK);
        }
        let count = from.read(&mut bytes)?;
        let passing = mode(file) == "pass";
        if count == 0 {
            // An end is lost as well.
            if passing {
                let _ = to.shutdown(std::net::Shutdown::Write);
                return Ok(());
            }
            thread::sleep(LOOK);
        } else if passing {
            to.write_all(bytes.get(..count).unwrap_or_default())?;
        }
    }
}

fn mode(file: &str) -> String {
    std::fs::read_to_string(file).map_or_else(|_| "pass".into(), |mode| mode.trim().to_owned())
}
