//! How long a warm call takes: `latency <connstr> [calls] [partitions] [off]`. With `off` nothing is prepared.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::rc::Rc;
use std::time::Instant;

use plproxy_core::conninfo::{SystemEnvironment, parse};
use plproxy_remote::{CallOptions, Encoding, Event, Param, Prepared, Remote, Request, Statement};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let connstr = arguments
        .next()
        .ok_or("usage: latency <connstr> [calls] [partitions] [off]")?;
    let calls: u32 = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let partitions: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let prepared = if arguments.next().is_some() {
        Prepared::Off
    } else {
        Prepared::Auto
    };

    let remote = Remote::new(|| false, Encoding::UTF8)?;
    let statement = Statement::call("select r::int4 from length($1::text) r".into());
    let params: Rc<[Param]> = [Param::Text(b"a key".to_vec())].into();
    let options = CallOptions {
        prepared,
        ..CallOptions::default()
    };
    let mut endpoints = Vec::new();
    for partition in 0..partitions {
        let params = parse(&connstr)?;
        let read = move || params.resolve(&SystemEnvironment::new());
        endpoints.push(remote.endpoint(&format!("{connstr} {partition}"), read)?);
    }
    let run = || -> Result<usize, Box<dyn Error>> {
        let requests = endpoints.iter().map(|endpoint| Request {
            endpoint: endpoint.clone(),
            params: params.clone().into(),
        });
        let mut call = remote.start(&statement, requests.collect(), &options);
        let mut rows = 0;
        loop {
            match call.next()? {
                Event::Rows { batch, .. } => {
                    rows += batch.iter().filter(|row| row.get(0).is_some()).count()
                }
                Event::Finished => return Ok(rows),
                _ => {}
            }
        }
    };
    for _ in 0..10 {
        run()?;
    }
    let start = Instant::now();
    for _ in 0..calls {
        assert_eq!(run()?, partitions);
    }
    let took = start.elapsed();
    println!(
        "{:.2} µs per call",
        took.as_secs_f64() * 1e6 / f64::from(calls)
    );
    Ok(())
}
