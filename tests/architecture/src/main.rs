//! Which source file uses which: no file uses another in a circle, no folder does, and nothing crosses a border.
//!
//! `plproxy-architecture DIR` reads the roots of [`ROOTS`] under DIR, and ends with 1 if something is wrong. Tests are left out:
//! they may use whatever they like.

mod graph;
mod modules;
mod uses;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use modules::Modules;

/// The source of one crate.
struct Root {
    /// Its folder.
    path: &'static str,
    /// Folders that use nothing of the crate beside themselves.
    closed: &'static [&'static str],
}

/// What is read.
const ROOTS: &[Root] = &[
    Root {
        path: "crates/plproxy-core/src",
        closed: &["stats"],
    },
    Root {
        path: "crates/plproxy-remote/src",
        closed: &[],
    },
    Root {
        path: "src",
        closed: &["pg"],
    },
];

fn main() -> ExitCode {
    let dir = std::env::args_os()
        .nth(1)
        .map_or_else(PathBuf::new, PathBuf::from);
    let mut findings = Vec::new();
    for root in ROOTS {
        match sources(&dir.join(root.path)).and_then(|files| Modules::read(&files)) {
            Ok(modules) => findings.extend(
                modules
                    .findings(root.closed)
                    .into_iter()
                    .map(|finding| format!("{}: {finding}", root.path)),
            ),
            Err(error) => findings.push(format!("{}: {error}", root.path)),
        }
    }
    let mut out = io::stdout().lock();
    for finding in &findings {
        let _ = writeln!(out, "{finding}");
    }
    if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The Rust files of a folder, by their paths in it, with what is in them.
fn sources(root: &Path) -> Result<Vec<(String, String)>, String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error: io::Error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap_or(&path);
                let text = fs::read_to_string(&path).map_err(failed)?;
                files.push((name.to_string_lossy().into_owned(), text));
            }
        }
    }
    files.sort();
    Ok(files)
}
