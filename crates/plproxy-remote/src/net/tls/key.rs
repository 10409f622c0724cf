//! The private key of the client's certificate: who may read it, and how it is read.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use openssl::pkey::{PKey, Private};
use plproxy_core::conninfo::Secret;

use super::errors::{reason, shown};
use crate::error::system_words;

/// No key is so long.
const KEY_LIMIT: u64 = 1 << 20;

/// libpq reads any name with a colon as `engine:key`, unless it might begin with a drive letter.
pub(super) fn is_engine(key: &Path) -> bool {
    let key = key.to_string_lossy();
    key.contains(':') && key.chars().nth(1) != Some(':')
}

/// Reads the private key, if no other user can read it.
pub(super) fn read(path: &Path, password: Option<&Secret>) -> Result<PKey<Private>, String> {
    let name = shown(path);
    let failed = |why: String| format!("could not load private key file \"{name}\": {why}");
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(format!(
                "certificate present, but not private key file \"{name}\""
            ));
        }
        Err(error) => {
            let words = system_words(&error);
            return Err(format!(
                "could not stat private key file \"{name}\": {words}"
            ));
        }
    };
    if !metadata.is_file() {
        return Err(format!("private key file \"{name}\" is not a regular file"));
    }
    let (mut content, metadata) = load(path).map_err(|error| failed(system_words(&error)))?;
    // A file owned by root may be readable for a group.
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        content.fill(0);
        return Err(format!(
            "private key file \"{name}\" has group or world access; file must have permissions u=rw (0600) or less \
             if owned by the current user, or permissions u=rw,g=r (0640) or less if owned by root"
        ));
    }
    let password = password.map_or("", Secret::expose).as_bytes();
    // Given even if it is empty: otherwise OpenSSL asks on the terminal.
    let key = PKey::private_key_from_pem_callback(&content, |room| {
        let length = password.len().min(room.len());
        if let (Some(room), Some(password)) = (room.get_mut(..length), password.get(..length)) {
            room.copy_from_slice(password);
        }
        Ok(length)
    });
    let key = match key {
        Ok(key) => Ok(key),
        Err(error) => PKey::private_key_from_der(&content).map_err(|_| failed(reason(&error))),
    };
    content.fill(0);
    key
}

/// The content of a file, and the metadata of the very file that was read.
fn load(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut content = Vec::new();
    file.take(KEY_LIMIT).read_to_end(&mut content)?;
    Ok((content, metadata))
}
