//! What the fault tests need besides real servers: a server that misbehaves, and a relay that loses what it is given.
//!
//! `plproxy-faults broken` listens on two ports of 127.0.0.1 and prints them: at the first it plays the server that the
//! name of the database in the start-up packet asks for (see [`broken`]); at the second connecting takes for ever.
//! `plproxy-faults relay PORT FILE` passes all on to that port, as long as the file says so (see [`relay`]).
//! Both run until they are killed or their standard input ends.
#![forbid(unsafe_code)]

mod broken;
mod relay;
mod wire;

use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ports = match arguments.as_slice() {
        ["broken"] => broken::start()?,
        ["relay", port, file] => {
            let port = port.parse().map_err(io::Error::other)?;
            vec![relay::start(port, (*file).to_owned())?]
        }
        _ => {
            return Err(io::Error::other(
                "usage: plproxy-faults broken | relay PORT FILE",
            ));
        }
    };
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let mut out = io::stdout();
    writeln!(out, "{}", ports.join(" "))?;
    out.flush()?;
    // Whoever started us holds the other end, so that we end with it.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
