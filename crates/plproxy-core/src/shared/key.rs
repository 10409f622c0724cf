//! What connections are told apart by.
//!
//! Keyed hashes: what stands in shared memory tells nothing of a password, and nobody can choose texts that have one hash.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

/// The key of the hashes: random, made when the server starts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u64; 2]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What a connection is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Keys {
    /// The partition and the remote user: of these there are no more than the limit. Never zero.
    pub limit: u64,
    /// All that keeps connections apart.
    pub share: u128,
    /// The same without the password: those of one kin with another password are of no use any more.
    pub kin: u64,
}

/// What is hashed, so that texts of one kind are never taken for the other.
#[derive(Clone, Copy)]
enum Kind {
    Limit = 1,
    Share = 2,
    Statement = 3,
    Kin = 4,
}

impl Secret {
    /// The keys of the connections to where a connection string leads, as a remote user. `apart` is all else that two
    /// connections must have in common to be one, but for the password.
    #[must_use]
    pub fn keys(self, connstr: &str, user: &str, apart: &[&[u8]], password: &[u8]) -> Keys {
        let place = [connstr.as_bytes(), user.as_bytes()];
        let mut all = place.to_vec();
        all.extend_from_slice(apart);
        let kin = self.hash(Kind::Kin, &all) as u64;
        all.push(password);
        Keys {
            limit: (self.hash(Kind::Limit, &place) as u64).max(1),
            share: self.hash(Kind::Share, &all),
            kin,
        }
    }

    /// What a statement is known by: its text, and the types of its parameters as far as they are told.
    #[must_use]
    pub fn statement(self, sql: &[u8], types: &[u32]) -> u128 {
        let types: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
        self.hash(Kind::Statement, &[sql, &types])
    }

    fn hash(self, kind: Kind, parts: &[&[u8]]) -> u128 {
        let [first, second] = self.0;
        let mut hasher = SipHasher24::new_with_keys(first, second);
        hasher.write_u8(kind as u8);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_differs_keeps_apart() {
        let secret = Secret([1, 2]);
        let keys = secret.keys("host=a", "u", &[b"10"], b"secret");
        assert_eq!(keys, secret.keys("host=a", "u", &[b"10"], b"secret"));
        // Another local user, another password: the same partition.
        for (apart, password) in [("11", "secret"), ("10", "other"), ("10s", "ecret")] {
            let other = secret.keys("host=a", "u", &[apart.as_bytes()], password.as_bytes());
            assert_eq!(other.limit, keys.limit);
            assert_ne!(other.share, keys.share);
            assert_eq!(other.kin == keys.kin, apart == "10");
        }
        for (connstr, user) in [("host=b", "u"), ("host=a", "v"), ("host=", "au")] {
            let other = secret.keys(connstr, user, &[b"10"], b"secret");
            assert!(other.limit != keys.limit && other.share != keys.share);
        }
        let other = Secret([1, 3]).keys("host=a", "u", &[b"10"], b"secret");
        assert_ne!(other.limit, keys.limit);
    }

    #[test]
    fn statements_are_known_by_text_and_types() {
        let secret = Secret([1, 2]);
        let one = secret.statement(b"select 1", &[]);
        assert_eq!(one, secret.statement(b"select 1", &[]));
        assert_ne!(one, secret.statement(b"select 2", &[]));
        assert_ne!(one, secret.statement(b"select 1", &[23]));
    }
}
