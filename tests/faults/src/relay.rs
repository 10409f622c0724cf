//! A relay that passes on, delays, loses or holds back what it is given, as a file says: `pass`, `delay MS JITTER LOSS`,
//! `lose` or `hold`.
//!
//! `delay` passes each piece on after MS milliseconds, give or take up to JITTER. LOSS in a hundred pieces are lost on the
//! way once, or several times over: what that is to a stream of bytes is the wait until the kernel sends them again, which
//! doubles with each loss. The order stays, as in TCP.
//!
//! `lose` reads and forgets, as a network does that drops the packets of one side after the kernel has taken them; `hold`
//! reads nothing, so the sender's bytes are not taken any more.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(5);
/// The least time after which Linux sends a packet again.
const AGAIN: u64 = 200;

static SEED: AtomicU64 = AtomicU64::new(1);

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
    while matches!(mode(file).as_str(), "lose" | "hold") {
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
    // Another seed for each direction of each connection, and the same ones in each run.
    let mut random = fastrand::Rng::with_seed(SEED.fetch_add(1, Ordering::Relaxed));
    loop {
        while mode(file) == "hold" {
            thread::sleep(LOOK);
        }
        let count = from.read(&mut bytes)?;
        let weather = mode(file);
        let passing = !matches!(weather.as_str(), "lose" | "hold");
        if count == 0 {
            // An end is lost as well.
            if passing {
                let _ = to.shutdown(std::net::Shutdown::Write);
                return Ok(());
            }
            thread::sleep(LOOK);
        } else if passing {
            thread::sleep(on_the_way(&weather, &mut random));
            to.write_all(bytes.get(..count).unwrap_or_default())?;
        }
    }
}

/// How long a piece takes in this weather.
fn on_the_way(weather: &str, random: &mut fastrand::Rng) -> Duration {
    let Some(words) = weather.strip_prefix("delay ") else {
        return Duration::ZERO;
    };
    let mut numbers = words
        .split_whitespace()
        .map(|word| word.parse().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    let (delay, jitter, loss): (u64, u64, u64) = (number(), number(), number());
    let mut time = (delay + random.u64(..=2 * jitter)).saturating_sub(jitter);
    let mut again = AGAIN;
    while random.u64(..100) < loss.min(50) {
        time += again;
        again *= 2;
    }
    Duration::from_millis(time)
}

fn mode(file: &str) -> String {
    std::fs::read_to_string(file).map_or_else(|_| "pass".into(), |mode| mode.trim().to_owned())
}
