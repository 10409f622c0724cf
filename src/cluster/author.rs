//! Who wrote the connection strings of a cluster, which decides what connections may be made with.
#![forbid(unsafe_code)]

use crate::error::Error;
use crate::pg::role;
use pgrx::pg_sys::Oid;

/// Who wrote a cluster's connection strings. Who is no superuser is not to reach by them what is open to the operating system's
/// user of this server: by its password file, its environment, its certificate, its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// That role, which may come to be a superuser, or cease to be one.
    Role {
        role: Oid,
        /// Our validator sees to it that only superusers say in user mappings that no password is required.
        has_valid_mappings: bool,
    },
    /// The owner of the function that gives them, and that of its schema, who may put another one in its place at any time, also
    /// between the look at its owner and the call.
    Function {
        owner: Oid,
        schema_owner: Oid,
    },
    Superuser,
    Other,
}

impl Author {
    pub(crate) fn has_valid_mappings(self) -> bool {
        matches!(
            self,
            Self::Role {
                has_valid_mappings: true,
                ..
            }
        )
    }

    pub(crate) fn is_superuser(self) -> Result<bool, Error> {
        match self {
            Self::Role { role, .. } => role::is_superuser(role),
            Self::Function {
                owner,
                schema_owner,
            } => Ok(role::is_superuser(owner)? && role::is_superuser(schema_owner)?),
            Self::Superuser => Ok(true),
            Self::Other => Ok(false),
        }
    }
}
