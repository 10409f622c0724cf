//! The password file: `host:port:database:user:password` per line.

use std::path::Path;

use super::environment::Environment;
use super::error::Warning;
use super::secret::Secret;

/// A password file, read once and asked for each host.
pub(super) struct PassFile {
    content: Vec<u8>,
    shown: String,
}

impl PassFile {
    /// Opens the file, unless it is not there or not to be trusted. `shown` is its name for messages.
    pub(super) fn open(
        env: &dyn Environment,
        path: &Path,
        shown: &str,
        warnings: &mut Vec<Warning>,
    ) -> Option<Self> {
        let mode = env.file_mode(path).ok()?;
        if !mode.regular {
            warnings.push(Warning::new(format!(
                "password file \"{shown}\" is not a plain file"
            )));
            return None;
        }
        if mode.permissions & 0o077 != 0 {
            warnings.push(Warning::new(format!(
                "password file \"{shown}\" has group or world access; permissions should be u=rw (0600) or less"
            )));
            return None;
        }
        Some(Self {
            content: env.read_file(path).ok()?,
            shown: shown.to_owned(),
        })
    }

    /// The password of the first line that fits. `host` is already `localhost` for the default socket directory.
    /// One that is empty is none, and hides the lines below.
    pub(super) fn find(
        &self,
        [host, port, dbname, user]: [&str; 4],
        warnings: &mut Vec<Warning>,
    ) -> Option<Secret> {
        let field = self
            .content
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.starts_with(b"#"))
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .find_map(|line| {
                [host, port, dbname, user]
                    .iter()
                    .try_fold(line, |line, wanted| strip_field(line, wanted.as_bytes()))
            })?;
        // What is sent is UTF-8, so a password in another encoding cannot be.
        let Ok(password) = String::from_utf8(unescape(field)) else {
            warnings.push(Warning::new(format!(
                "password in file \"{}\" is not UTF-8",
                self.shown
            )));
            return None;
        };
        Some(password)
            .filter(|password| !password.is_empty())
            .map(Secret::new)
    }
}

/// What follows the first field of `line`, if that field is `wanted` or `*`.
fn strip_field<'a>(line: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    if let Some(rest) = line.strip_prefix(b"*:") {
        return Some(rest);
    }
    let mut line = line.iter();
    let mut wanted = wanted.iter();
    loop {
        let byte = match line.next()? {
            b':' if wanted.as_slice().is_empty() => return Some(line.as_slice()),
            b'\\' => line.next()?,
            byte => byte,
        };
        if wanted.next()? != byte {
            return None;
        }
    }
}

/// The last field, up to a colon, without its backslashes.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut password = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b':' => break,
            b'\\' => password.push(*bytes.next().unwrap_or(byte)),
            byte => password.push(*byte),
        }
    }
    password
}

#[cfg(test)]
mod tests {
    use super::super::environment::TestEnvironment;
    use super::*;

    fn check(content: &[u8], wanted: [&str; 4], expected: Option<&str>) {
        let env = TestEnvironment::new().with_file("/f", 0o600, content);
        let mut warnings = Vec::new();
        let file = PassFile::open(&env, Path::new("/f"), "/f", &mut warnings).unwrap();
        let found = file.find(wanted, &mut warnings);
        assert_eq!(
            found.as_ref().map(Secret::expose),
            expected,
            "{}",
            String::from_utf8_lossy(content)
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn lines_are_matched() {
        let wanted = ["h", "5432", "d", "u"];
        check(b"h:5432:d:u:pw", wanted, Some("pw"));
        check(b"*:*:*:*:pw\r\n", wanted, Some("pw"));
        check(b"h:5432:d:u:pw:rest", wanted, Some("pw"));
        check(b"h:5432:d:u:", wanted, None);
        check(b"h:5432:d:u:\n*:*:*:*:pw", wanted, None);
        check(b"h:5432:d:u", wanted, None);
        check(b"hh:*:*:*:pw", wanted, None);
        check(b"*h:*:*:*:pw", wanted, None);
        check(
            b"\n#h:5432:d:u:no\nx:*:*:*:no\nh:*:*:*:yes\nh:*:*:*:later",
            wanted,
            Some("yes"),
        );
        check(b"h:5432:d:u:a\\:b\\\\c\\", wanted, Some("a:b\\c\\"));
        check(b"::1:*:*:*:pw", ["::1", "5432", "d", "u"], Some("pw"));
        check(b"\\:\\:1:*:*:*:pw", ["::1", "5432", "d", "u"], Some("pw"));
        check(b"\\h:*:*:*:pw", wanted, Some("pw"));
        check(b"h\\", wanted, None);
        check(b"", wanted, None);
    }

    fn refused(env: TestEnvironment, expected: &[&str]) {
        let mut warnings = Vec::new();
        assert!(PassFile::open(&env, Path::new("/f"), "/f", &mut warnings).is_none());
        assert_eq!(
            warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn an_open_file_is_not_read() {
        let text = "password file \"/f\" has group or world access; permissions should be u=rw (0600) or less";
        refused(TestEnvironment::new(), &[]);
        refused(
            TestEnvironment::new().with_device("/f"),
            &["password file \"/f\" is not a plain file"],
        );
        for permissions in [0o640, 0o604, 0o610, 0o660] {
            refused(
                TestEnvironment::new().with_file("/f", permissions, "*:*:*:*:pw"),
                &[text],
            );
        }
    }

    #[test]
    fn a_password_in_another_encoding_is_none() {
        let env = TestEnvironment::new().with_file("/f", 0o600, b"*:*:*:*:\xff\n*:*:*:*:pw");
        let mut warnings = Vec::new();
        let file = PassFile::open(&env, Path::new("/f"), "/f", &mut warnings).unwrap();
        assert_eq!(file.find(["h", "1", "d", "u"], &mut warnings), None);
        assert_eq!(
            warnings,
            [Warning::new("password in file \"/f\" is not UTF-8")]
        );
    }
}
