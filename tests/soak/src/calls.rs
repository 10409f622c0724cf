//! The calls, each with what it must give.

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;
use tokio::net::TcpStream;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CancelToken, Client, Error, NoTls, Row, Statement};

/// How many partitions there are.
pub const PARTITIONS: usize = 16;
/// Keys `k0`, `k1` and so on.
pub const KEYS: u64 = 1000;

/// How a call ended that did not give what it must.
pub enum Trouble {
    /// By an error: whether it was to be is for the caller to know.
    Failed(Error),
    /// With a wrong result.
    Wrong(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Failed(error)
    }
}

type Ended = Result<(), Trouble>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Ended {
    if holds {
        Ok(())
    } else {
        Err(Trouble::Wrong(what()))
    }
}

/// What a session wrote, and what it was told of it.
#[derive(Default)]
pub struct Books {
    pub entered: Vec<i64>,
    pub unsure: Vec<i64>,
    next: i64,
    /// For each partition: additions that were acknowledged, that were not, and the last sum told.
    pub sums: [(i64, i64, i64); PARTITIONS],
}

/// A session's connection and all it knows.
pub struct Caller<'a> {
    pub number: usize,
    pub client: &'a Client,
    pub statements: &'a mut HashMap<&'static str, Statement>,
    pub random: &'a mut Rng,
    pub books: &'a mut Books,
    /// The partition of each key.
    pub homes: &'a [i32],
    /// The proxy's port, for cancel requests.
    pub port: u16,
}

/// The kinds of calls, with how often each is made.
pub const KINDS: [(&str, u64); 14] = [
    ("run on hash", 30),
    ("run on all", 10),
    ("run on any", 10),
    ("split", 6),
    ("insert", 20),
    ("update", 20),
    ("large argument and result", 2),
    ("large result", 2),
    ("rows of all", 3),
    ("refused statement", 8),
    ("exception block", 4),
    ("set not read to its end", 3),
    ("statement_timeout", 1),
    ("cancel", 1),
];

impl Caller<'_> {
    /// Makes a call of this kind and looks at what it gave.
    pub async fn call(&mut self, kind: &str) -> Ended {
        match kind {
            "run on hash" => self.hash().await,
            "run on all" => self.all().await,
            "run on any" => self.any().await,
            "split" => self.split().await,
            "insert" => self.insert().await,
            "update" => self.update().await,
            "large argument and result" => self.echo().await,
            "large result" => self.grown().await,
            "rows of all" => self.rows().await,
            "refused statement" => self.refused().await,
            "exception block" => self.caught().await,
            "set not read to its end" => self.first().await,
            "statement_timeout" => self.timeout().await,
            _ => self.cancel().await,
        }
    }

    async fn query(
        &mut self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let statement = match self.statements.get(sql) {
            Some(statement) => statement.clone(),
            None => {
                let statement = self.client.prepare(sql).await?;
                self.statements.insert(sql, statement.clone());
                statement
            }
        };
        self.client.query(&statement, params).await
    }

    async fn row(
        &mut self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Trouble> {
        let rows = self.query(sql, params).await?;
        let count = rows.len();
        match <[Row; 1]>::try_from(rows) {
            Ok([row]) => Ok(row),
            Err(_) => Err(Trouble::Wrong(format!("{sql} gave {count} rows"))),
        }
    }

    /// A key and the partition that it belongs to.
    fn key(&mut self) -> (String, i32) {
        let n = self.random.u64(..KEYS);
        let home = self.homes.get(n as usize).copied().unwrap_or(-1);
        (format!("k{n}"), home)
    }

    fn number(&mut self) -> i32 {
        self.random.u64(..u64::from(u32::MAX)) as u32 as i32
    }

    async fn hash(&mut self) -> Ended {
        let ((key, home), n) = (self.key(), self.number());
        let row = self
            .row("select partition, said from which($1, $2)", &[&key, &n])
            .await?;
        let found: (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
        ensure(found == (home, n), || {
            format!("which({key}, {n}): {found:?}, partition {home}")
        })
    }

    async fn all(&mut self) -> Ended {
        let n = self.number();
        let rows = self
            .query("select partition, said from which_all($1)", &[&n])
            .await?;
        let found: Vec<(i32, i32)> = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, Error>>()?;
        let wanted: Vec<_> = (0..PARTITIONS as i32)
            .map(|partition| (partition, n))
            .collect();
        ensure(found == wanted, || format!("which_all({n}): {found:?}"))
    }

    async fn any(&mut self) -> Ended {
        let n = self.number();
        let row = self
            .row("select partition, said from which_any($1)", &[&n])
            .await?;
        let (partition, said): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
        ensure(
            (0..PARTITIONS as i32).contains(&partition) && said == n,
            || format!("which_any({n}): {partition}, {said}"),
        )
    }

    async fn split(&mut self) -> Ended {
        let count = self.random.u64(..200);
        let keys: Vec<i32> = (0..count).map(|_| self.number()).collect();
        let texts: Vec<String> = keys.iter().map(|key| format!("text {key}")).collect();
        let sql = "select partition, key, said from which_split($1, $2)";
        let rows = self.query(sql, &[&keys, &texts]).await?;
        let found: Vec<(i32, i32, String)> = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
            .collect::<Result<_, Error>>()?;
        let mut wanted: Vec<_> = (keys.into_iter().zip(texts))
            .map(|(key, text)| (key & (PARTITIONS as i32 - 1), key, text))
            .collect();
        // Partitions in the order of their first element, and what belongs to one in the order given.
        let mut order: Vec<i32> = Vec::new();
        for (partition, ..) in &wanted {
            if !order.contains(partition) {
                order.push(*partition);
            }
        }
        wanted.sort_by_key(|(partition, ..)| order.iter().position(|one| one == partition));
        ensure(found == wanted, || {
            format!("which_split of {count}: {} rows", found.len())
        })
    }

    async fn insert(&mut self) -> Ended {
        let (key, _) = self.key();
        self.books.next += 1;
        let id = (self.number as i64) << 32 | self.books.next;
        // Until it is known, it is not known.
        self.books.unsure.push(id);
        let row = self.row("select enter($1, $2)", &[&key, &id]).await?;
        self.books.unsure.pop();
        self.books.entered.push(id);
        let found: i64 = row.try_get(0)?;
        ensure(found == id, || format!("enter({key}, {id}): {found}"))?;
        // One that was entered is there for all who come later.
        let row = self.row("select look_up($1, $2)", &[&key, &id]).await?;
        let found: i64 = row.try_get(0)?;
        ensure(found == 1, || format!("look_up({key}, {id}): {found}"))
    }

    async fn update(&mut self) -> Ended {
        let partition = self.random.u64(..PARTITIONS as u64);
        let key = (self.random.u64(..1 << 20) * PARTITIONS as u64 + partition) as i32;
        let session = self.number as i32;
        let at = partition as usize;
        if let Some((_, unsure, _)) = self.books.sums.get_mut(at) {
            *unsure += 1;
        }
        let row = self.row("select add($1, $2)", &[&key, &session]).await?;
        let found: i64 = row.try_get(0)?;
        let Some((sure, unsure, last)) = self.books.sums.get_mut(at) else {
            return Ok(());
        };
        *unsure -= 1;
        *sure += 1;
        // What failed may have been carried out all the same, and late.
        let holds = found > *last && (*sure..=*sure + *unsure).contains(&found);
        let before = std::mem::replace(last, found);
        let (sure, unsure) = (*sure, *unsure);
        ensure(holds, || {
            format!("add to {partition}: {found} after {before}, {sure} and perhaps {unsure}")
        })
    }

    async fn echo(&mut self) -> Ended {
        let (key, _) = self.key();
        let n = self.number();
        let value = format!("{n:x}·").repeat(self.random.u64(..120_000) as usize);
        let row = self.row("select echo($1, $2)", &[&key, &value]).await?;
        let found: &str = row.try_get(0)?;
        ensure(found == value, || {
            format!("echo of {}: {} bytes", value.len(), found.len())
        })
    }

    async fn grown(&mut self) -> Ended {
        let (key, _) = self.key();
        let size = self.random.u64(..4_000_000) as i32;
        let row = self.row("select grown($1, $2)", &[&key, &size]).await?;
        let found: &str = row.try_get(0)?;
        let holds = found.len() == size as usize / 10 * 10
            && found
                .as_bytes()
                .chunks(10)
                .all(|chunk| chunk == b"0123456789");
        ensure(holds, || format!("grown({size}): {} bytes", found.len()))
    }

    async fn rows(&mut self) -> Ended {
        let rows = self.random.u64(1..=3000) as i64;
        let sql =
            "select count(*), sum(n), count(*) filter (where note = 'row ' || n) from many_all($1)";
        let row = self.row(sql, &[&(rows as i32)]).await?;
        let found: (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let all = PARTITIONS as i64 * rows;
        let wanted = (all, all * (rows + 1) / 2, all);
        ensure(found == wanted, || {
            format!("many_all({rows}): {found:?}, not {wanted:?}")
        })
    }

    async fn refused(&mut self) -> Ended {
        let (key, _) = self.key();
        match self.query("select divide($1, 0)", &[&key]).await {
            Err(error) if code(&error) == "22012" => Ok(()),
            Err(error) => Err(error.into()),
            Ok(rows) => Err(Trouble::Wrong(format!(
                "divide by zero: {} rows",
                rows.len()
            ))),
        }
    }

    async fn caught(&mut self) -> Ended {
        let (key, _) = self.key();
        let rounds = self.random.u64(1..=20) as i64;
        let sql = "select total, refused from caught($1, $2)";
        let row = self.row(sql, &[&key, &(rounds as i32)]).await?;
        let found: (i64, i32) = (row.try_get(0)?, row.try_get(1)?);
        let wanted = (rounds * (rounds + 1) / 2, rounds as i32);
        ensure(found == wanted, || format!("caught({rounds}): {found:?}"))
    }

    async fn first(&mut self) -> Ended {
        let (key, _) = self.key();
        let rows = self.random.u64(1..=50) as i64;
        if rows % 2 == 0 {
            let row = self
                .row("select first_of($1, $2)", &[&key, &(rows as i32)])
                .await?;
            let found: i64 = row.try_get(0)?;
            return ensure(found == rows * (rows + 1) / 2, || {
                format!("first_of({rows}): {found}")
            });
        }
        let sql = "select many from many($1, 100000) limit $2";
        let found: Vec<i32> = (self.query(sql, &[&key, &rows]).await?.iter())
            .map(|row| row.try_get(0))
            .collect::<Result<_, Error>>()?;
        let wanted: Vec<i32> = (1..=rows as i32).collect();
        ensure(found == wanted, || format!("limit {rows}: {found:?}"))
    }

    async fn timeout(&mut self) -> Ended {
        let (key, _) = self.key();
        self.client
            .batch_execute("set statement_timeout = 150")
            .await?;
        let found = self.query("select nap($1, 20)", &[&key]).await;
        if !self.client.is_closed() {
            self.client
                .batch_execute("set statement_timeout = 0")
                .await?;
        }
        match found {
            Err(error) if code(&error) == "57014" => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Trouble::Wrong("no statement_timeout".into())),
        }
    }

    async fn cancel(&mut self) -> Ended {
        let (key, _) = self.key();
        let token = self.client.cancel_token();
        let port = self.port;
        let mut wait = Duration::from_millis(self.random.u64(20..=150));
        let found = {
            let params: &[&(dyn ToSql + Sync)] = &[&key];
            let mut call = std::pin::pin!(self.query("select nap($1, 20)", params));
            // A request that comes before the statement does is lost, so it is made again until the statement ends.
            loop {
                match tokio::time::timeout(wait, &mut call).await {
                    Ok(found) => break found,
                    Err(_) => cancel(&token, port).await,
                }
                wait = Duration::from_millis(200);
            }
        };
        match found {
            Err(error) if code(&error) == "57014" => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Trouble::Wrong("not cancelled".into())),
        }
    }
}

/// Sends a cancel request and waits until the server has passed it on, so that it hits no later call.
async fn cancel(token: &CancelToken, port: u16) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    if token.cancel_query_raw(&mut stream, NoTls).await.is_ok() {
        let _ = stream.readable().await;
    }
}

/// An error's SQLSTATE.
pub fn code(error: &Error) -> &str {
    error.code().map_or("connection lost", |code| code.code())
}
