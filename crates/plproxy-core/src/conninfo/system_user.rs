//! Users of the operating system, from whichever service has them (`/etc/passwd`, LDAP, …). Asking may block.

use std::path::PathBuf;

use nix::unistd::{Uid, User};

/// The name of a user; or why there is none, in libpq's words.
pub fn name_of(uid: u32) -> Result<String, String> {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => Ok(user.name),
        Ok(None) => Err(format!("local user with ID {uid} does not exist")),
        Err(error) => Err(format!(
            "could not look up local user ID {uid}: {}",
            error.desc()
        )),
    }
}

/// The name of the user this process runs as.
pub(super) fn own_name() -> Result<String, String> {
    name_of(Uid::effective().as_raw())
}

/// The home directory of the user this process runs as.
pub(super) fn own_home() -> Option<PathBuf> {
    let user = User::from_uid(Uid::effective()).ok()??;
    Some(user.dir).filter(|home| !home.as_os_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names() {
        assert_eq!(name_of(0).as_deref(), Ok("root"));
        assert_eq!(
            name_of(4_000_000_000),
            Err("local user with ID 4000000000 does not exist".into())
        );
    }
}
