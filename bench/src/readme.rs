//! The figures in README.md, which a run renews, so that they are those of the JSON files beside it.

use crate::Outcome;
use std::fs;
use std::path::Path;

/// Replaces what stands between the marks of a section. A directory without a README is somebody's own.
pub fn renew(directory: &Path, section: &str, text: &str) -> Outcome<()> {
    let path = directory.join("README.md");
    let Ok(old) = fs::read_to_string(&path) else {
        return Ok(());
    };
    let new = replaced(&old, section, text)
        .ok_or_else(|| format!("{}: no marks for {section}", path.display()))?;
    fs::write(&path, new).map_err(|error| format!("{}: {error}", path.display()))
}

fn replaced(old: &str, section: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- {section}: written by the run -->\n");
    let end = format!("<!-- {section}: end -->");
    let (before, rest) = old.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{text}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_only_its_section() {
        let old = "a\n<!-- x: written by the run -->\nold\n<!-- x: end -->\nb\n";
        let new = "a\n<!-- x: written by the run -->\nnew\n<!-- x: end -->\nb\n";
        assert_eq!(replaced(old, "x", "new\n").as_deref(), Some(new));
        assert_eq!(replaced(old, "y", "new\n"), None);
    }
}
