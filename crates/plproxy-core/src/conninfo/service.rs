//! The service file: named groups of settings, as in an ini file.

use std::path::PathBuf;

use super::environment::Environment;
use super::error::ConnInfoError;
use super::keywords::Keyword;

/// libpq's limit for one line, with its end.
const MAX_LINE: usize = 1023;

/// The settings of `service`, in the order of the file; where one is given twice the first counts. `file` is what the
/// string names, and what of it may stand in messages; `shown` is the service's name for these.
pub(super) fn load(
    env: &dyn Environment,
    file: Option<(&str, &str)>,
    service: &str,
    shown: &str,
) -> Result<Vec<(&'static str, String)>, ConnInfoError> {
    // A file that is named must exist; the user's own and the system's need not.
    let own = match (file, env.var("PGSERVICEFILE")) {
        (Some((path, shown)), _) => Some((PathBuf::from(path), shown.to_owned())),
        (None, Some(path)) => Some((PathBuf::from(&path), path)),
        (None, None) => env
            .home()
            .map(|home| home.join(".pg_service.conf"))
            .filter(|path| env.file_mode(path).is_ok())
            .map(with_name),
    };
    let system = || {
        let dir = env
            .var("PGSYSCONFDIR")
            .map_or_else(|| env.sysconfdir(), PathBuf::from);
        Some(dir.join("pg_service.conf"))
            .filter(|path| env.file_mode(path).is_ok())
            .map(with_name)
    };
    for (path, name) in own
        .into_iter()
        .chain(std::iter::once_with(system).flatten())
    {
        // A pipe or a device would hang or never end.
        let content = match env.file_mode(&path) {
            Ok(mode) if mode.regular => env.read_file(&path).ok(),
            _ => None,
        };
        let content = content
            .ok_or_else(|| ConnInfoError::new(format!("service file \"{name}\" not found")))?;
        if let Some(settings) = group(&content, service, &name)? {
            return Ok(settings);
        }
    }
    Err(ConnInfoError::new(format!(
        "definition of service \"{shown}\" not found"
    )))
}

/// A path, and how messages call it.
fn with_name(path: PathBuf) -> (PathBuf, String) {
    let name = path.display().to_string();
    (path, name)
}

/// The settings of one group of a file, or `None` if it has no such group.
fn group(
    content: &[u8],
    service: &str,
    file: &str,
) -> Result<Option<Vec<(&'static str, String)>>, ConnInfoError> {
    let mut found: Option<Vec<(&'static str, String)>> = None;
    for (line, number) in content.split_inclusive(|byte| *byte == b'\n').zip(1..) {
        let syntax_error = || {
            ConnInfoError::new(format!(
                "syntax error in service file \"{file}\", line {number}"
            ))
        };
        if line.len() >= MAX_LINE {
            return Err(ConnInfoError::new(format!(
                "line {number} too long in service file \"{file}\""
            )));
        }
        let line = trim(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if let Some(header) = line.strip_prefix(b"[") {
            if found.is_some() {
                break;
            }
            // What follows the closing bracket is of no interest to libpq either.
            let named = header
                .strip_prefix(service.as_bytes())
                .is_some_and(|rest| rest.starts_with(b"]"));
            found = named.then(Vec::new);
            continue;
        }
        // Lines of other groups are not looked at.
        let Some(settings) = found.as_mut() else {
            continue;
        };
        if line.starts_with(b"ldap") {
            return Err(ConnInfoError::new(format!(
                "LDAP lookup in service file \"{file}\", line {number} is not supported"
            )));
        }
        let line = std::str::from_utf8(line).map_err(|_| syntax_error())?;
        let (name, value) = line.split_once('=').ok_or_else(syntax_error)?;
        if name == "service" {
            return Err(ConnInfoError::new(format!(
                "nested service specifications not supported in service file \"{file}\", line {number}"
            )));
        }
        if name == "servicefile" {
            return Err(ConnInfoError::new(format!(
                "nested \"servicefile\" specifications not supported in service file \"{file}\", line {number}"
            )));
        }
        let keyword = Keyword::find(name).ok_or_else(syntax_error)?;
        if value.contains('\0') {
            return Err(syntax_error());
        }
        if !settings.iter().any(|(known, _)| *known == keyword.name) {
            settings.push((keyword.name, value.to_owned()));
        }
    }
    Ok(found)
}

/// Without the white space around, by C's `isspace`.
fn trim(line: &[u8]) -> &[u8] {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
    let start = line
        .iter()
        .position(|byte| !space(byte))
        .unwrap_or(line.len());
    let end = line
        .iter()
        .rposition(|byte| !space(byte))
        .map_or(start, |last| last + 1);
    line.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::environment::TestEnvironment;
    use super::*;

    const OWN: &str = "/home/os_user/.pg_service.conf";
    const SYSTEM: &str = "/etc/postgresql-common/pg_service.conf";

    fn check(env: TestEnvironment, expected: Result<&str, &str>) {
        let found = load(&env, None, "s", "s")
            .map_err(|error| error.to_string())
            .map(|settings| {
                settings
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            });
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }

    fn content(text: &str, expected: Result<&str, &str>) {
        check(TestEnvironment::new().with_file(OWN, 0o644, text), expected);
    }

    #[test]
    fn groups_are_read() {
        content("[s]\nhost=h\nport=1\n", Ok("host=h port=1"));
        content(
            "# c\n\n[x]\nnonsense\n[s] tail\n  host=h  \r\n#port=2\n[y]\nport=1\n[s]\nport=3",
            Ok("host=h"),
        );
        content("[s]\nhost=a\nhost=b", Ok("host=a"));
        content("[s]\ndbname= d = e", Ok("dbname= d = e"));
        content("[s]", Ok(""));
    }

    #[test]
    fn errors_are_libpqs() {
        content("[t]\n", Err("definition of service \"s\" not found"));
        content("[ss]\nhost=h", Err("definition of service \"s\" not found"));
        content(
            "[s]\nhost",
            Err(&format!("syntax error in service file \"{OWN}\", line 2")),
        );
        content(
            "[s]\nhost =h",
            Err(&format!("syntax error in service file \"{OWN}\", line 2")),
        );
        content(
            "[s]\n\nhosst=h",
            Err(&format!("syntax error in service file \"{OWN}\", line 3")),
        );
        content(
            "[s]\nservice=t",
            Err(&format!(
                "nested service specifications not supported in service file \"{OWN}\", line 2"
            )),
        );
        content(
            "[s]\nservicefile=/t",
            Err(&format!(
                "nested \"servicefile\" specifications not supported in service file \"{OWN}\", line 2"
            )),
        );
        content(
            "[s]\nldap://x",
            Err(&format!(
                "LDAP lookup in service file \"{OWN}\", line 2 is not supported"
            )),
        );
        let long = format!("#{}\n[s]", "x".repeat(1023));
        content(
            &long,
            Err(&format!("line 1 too long in service file \"{OWN}\"")),
        );
    }

    #[test]
    fn files_are_found() {
        let env = TestEnvironment::new;
        check(env(), Err("definition of service \"s\" not found"));
        check(
            env().with_var("PGSERVICEFILE", "/no"),
            Err("service file \"/no\" not found"),
        );
        check(
            env()
                .with_var("PGSERVICEFILE", "/dev/zero")
                .with_device("/dev/zero"),
            Err("service file \"/dev/zero\" not found"),
        );
        let system = env().with_file(SYSTEM, 0o644, "[s]\nhost=system");
        check(system.clone(), Ok("host=system"));
        check(
            system.clone().with_file(OWN, 0o644, "[t]\nhost=own"),
            Ok("host=system"),
        );
        check(
            system.clone().with_file(OWN, 0o644, "[s]\nhost=own"),
            Ok("host=own"),
        );
        let named =
            system
                .with_file(OWN, 0o644, "[s]\nhost=own")
                .with_file("/n", 0o644, "[s]\nhost=named");
        check(
            named.clone().with_var("PGSERVICEFILE", "/n"),
            Ok("host=named"),
        );
        let moved = env().with_file("/d/pg_service.conf", 0o644, "[s]\nhost=moved");
        check(moved.with_var("PGSYSCONFDIR", "/d"), Ok("host=moved"));
    }
}
