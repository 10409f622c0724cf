//! A stand-in for a model server: answers `POST /v1/embeddings` as OpenAI-compatible servers do.
//!
//! `plproxy-model-server MILLISECONDS` listens on a free port of 127.0.0.1 and prints it. Each text takes that long, one after
//! the other, whoever sends it: there is one model. The embedding is a number of the text alone, so that it can be
//! checked; it means nothing. Ends when its standard input does.
#![forbid(unsafe_code)]

mod http;
mod json;

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

const DIMENSIONS: u64 = 4;
/// For a client that sends nothing.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<()> {
    let delay = std::env::args()
        .nth(1)
        .and_then(|argument| argument.parse().ok())
        .ok_or_else(|| io::Error::other("usage: plproxy-model-server MILLISECONDS"))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut out = io::stdout();
    writeln!(out, "{}", listener.local_addr()?.port())?;
    out.flush()?;
    let model = Arc::new(Mutex::new(Duration::from_millis(delay)));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let model = Arc::clone(&model);
            thread::spawn(move || serve(stream, &model));
        }
    });
    // Whoever started us holds the other end, so that we end with it.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// One request of a connection, which is closed then.
fn serve(stream: TcpStream, model: &Mutex<Duration>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (status, body) = match http::read(&mut reader) {
        Ok(request) if request.line.starts_with("POST /v1/embeddings ") => {
            match json::input_texts(&request.body) {
                Some(texts) => ("200 OK", embeddings(&texts, model)),
                None => ("400 Bad Request", problem("input: an array of strings")),
            }
        }
        Ok(_) => ("404 Not Found", problem("POST /v1/embeddings")),
        Err(error) => ("400 Bad Request", problem(&error.to_string())),
    };
    http::write(stream, status, &body)
}

fn problem(message: &str) -> String {
    json!({ "error": { "message": format!("wanted: {message}") } }).to_string()
}

fn embeddings(texts: &[String], model: &Mutex<Duration>) -> String {
    let data: Vec<Value> = (texts.iter().enumerate())
        .map(|(index, text)| {
            json!({ "object": "embedding", "index": index, "embedding": embed(text, model) })
        })
        .collect();
    json!({ "object": "list", "model": "stand-in", "data": data }).to_string()
}

fn embed(text: &str, model: &Mutex<Duration>) -> Vec<f64> {
    // Nothing is broken by a thread that panicked with it.
    let delay = model.lock().unwrap_or_else(PoisonError::into_inner);
    thread::sleep(*delay);
    (0..DIMENSIONS)
        .map(|dimension| {
            // FNV-1a; thousandths, so that no digit is lost on the way.
            let hash = text
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325 ^ dimension, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
            (hash >> 32 & 0x3ff) as f64 / 1000.0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn problems_are_json() {
        let said: serde_json::Value = serde_json::from_str(&problem("a\"\\\n")).unwrap();
        assert_eq!(said["error"]["message"], "wanted: a\"\\\n");
    }
}
