//! What a statement has said.

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

/// The rows of a statement, as text, with what came beside them.
#[derive(Debug, Default)]
pub struct Answer {
    /// Of all its results, if it is several statements in one message.
    pub rows: Vec<Vec<Option<String>>>,
    /// In order of arrival.
    pub notices: Vec<DbError>,
    /// What has ended it, the server or the loss of the connection.
    pub error: Option<Error>,
}

impl Answer {
    /// The SQLSTATE of the error, if there is one; `08006` if the connection was lost without one.
    pub fn sqlstate(&self) -> Option<&str> {
        let error = self.error.as_ref()?;
        Some(error.code().map_or("08006", |code| code.code()))
    }

    /// As `psql -At` shows it: notices, rows with bars between the columns, the error.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.notices.iter().flat_map(told).collect();
        lines.extend(self.rows.iter().map(|row| {
            let values: Vec<&str> = row
                .iter()
                .map(|value| value.as_deref().unwrap_or_default())
                .collect();
            values.join("|")
        }));
        if let Some(error) = &self.error {
            match error.as_db_error() {
                Some(error) => lines.extend(told(error)),
                None => lines.push(error.to_string()),
            }
        }
        lines
    }
}

/// Severity and message, detail, hint, and of an error the context.
fn told(said: &DbError) -> Vec<String> {
    let mut lines = vec![format!("{}:  {}", said.severity(), said.message())];
    let is_error = matches!(said.severity(), "ERROR" | "FATAL" | "PANIC");
    let context = said.where_().filter(|_| is_error);
    let rest = [
        ("DETAIL", said.detail()),
        ("HINT", said.hint()),
        ("CONTEXT", context),
    ];
    lines.extend(
        rest.into_iter()
            .filter_map(|(what, text)| Some(format!("{what}:  {}", text?))),
    );
    lines
}
