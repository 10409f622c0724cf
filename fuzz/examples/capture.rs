//! Makes the seeds of the target `answers`: runs its calls against a real server and writes what that sent.
//!
//!     PLPROXY_TEST_SERVER="host=127.0.0.1 port=… user=… dbname=…" capture <directory>
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use plproxy_core::conninfo::parse;
use plproxy_fuzz::answers;
use plproxy_remote::{Encoding, Remote};

fn main() {
    let server = std::env::var("PLPROXY_TEST_SERVER").expect("PLPROXY_TEST_SERVER names a server");
    let directory = std::env::args().nth(1).expect("a directory for the seeds");
    let params = parse(&server).expect("a connection string");
    let get = |keyword: &str| params.get(keyword).expect("host and port").to_owned();
    let address = format!("{}:{}", get("host"), get("port"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let said = Arc::new(Mutex::new(Vec::new()));
    let kept = said.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            relay(client, &address, kept.clone());
        }
    });
    let connstr = format!("{server} host=127.0.0.1 port={port} sslmode=disable");
    // The ways of calling, from the first word on; less the combinations that send nothing new.
    let plain = |plan: u8, bit: u8, others: u8| plan & bit == 0 || plan & others == 0;
    let plans = (1..=255_u8).step_by(2).filter(|plan| plan & 6 != 6);
    let plans = plans.filter(|plan| plain(*plan, 16, 0b110_1110) && plain(*plan, 128, 0b110_1110));
    for plan in plans {
        said.lock().expect("no panic").clear();
        let remote = Remote::new(|| false, Encoding::UTF8).expect("a runtime");
        let rows = answers::run(&remote, &connstr, plan);
        assert!(rows > 0, "plan {plan} gave nothing");
        drop(remote);
        let seed = [&[plan][..], &said.lock().expect("no panic")].concat();
        let path = Path::new(&directory).join(format!("session-{plan:03}"));
        std::fs::write(path, seed).expect("the directory can be written");
    }
}

fn relay(client: TcpStream, address: &str, said: Arc<Mutex<Vec<u8>>>) {
    let upstream = TcpStream::connect(address).expect("the server is there");
    let (mut from_client, mut to_server) = pair(&client, &upstream);
    let (mut to_client, mut from_server) = (client, upstream);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(length @ 1..) = from_server.read(&mut buffer) {
            said.lock()
                .expect("no panic")
                .extend_from_slice(&buffer[..length]);
            if to_client.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    });
}

fn pair(client: &TcpStream, upstream: &TcpStream) -> (TcpStream, TcpStream) {
    (
        client.try_clone().expect("a descriptor"),
        upstream.try_clone().expect("a descriptor"),
    )
}
