//! The TLS settings of a connection string: values only, no file is opened here.

use std::path::PathBuf;

use super::environment::Environment;
use super::error::ConnInfoError;
use super::secret::Secret;
use super::values::Settings;

/// All that concerns TLS. Paths are as written; `None` means libpq's default under `~/.postgresql`, if it exists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsOptions {
    /// `sslmode`.
    pub mode: TlsMode,
    /// `sslnegotiation`.
    pub negotiation: TlsNegotiation,
    /// `sslrootcert`; the value `system` means the system's own authorities.
    pub root_cert: Option<PathBuf>,
    /// `sslcert`.
    pub cert: Option<PathBuf>,
    /// `sslcertmode`.
    pub cert_mode: CertMode,
    /// `sslkey`.
    pub key: Option<PathBuf>,
    /// `sslpassword`.
    pub key_password: Option<Secret>,
    /// `sslcrl`.
    pub crl: Option<PathBuf>,
    /// `sslcrldir`.
    pub crl_dir: Option<PathBuf>,
    /// `sslsni`.
    pub sni: bool,
    /// `ssl_min_protocol_version`; `None` sets no limit.
    pub min_protocol: Option<TlsVersion>,
    /// `ssl_max_protocol_version`; `None` sets no limit.
    pub max_protocol: Option<TlsVersion>,
    /// The `.postgresql` directory of the user, where the default files are.
    pub default_dir: Option<PathBuf>,
}

/// `sslmode`, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsMode {
    /// Never TLS.
    Disable,
    /// Without first, then with.
    Allow,
    /// With first, then without.
    Prefer,
    /// TLS or nothing.
    Require,
    /// And the certificate must come from a trusted authority.
    VerifyCa,
    /// And must name the host.
    VerifyFull,
}

/// `sslnegotiation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsNegotiation {
    /// PostgreSQL's request first.
    Postgres,
    /// TLS from the first byte.
    Direct,
}

/// `sslcertmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertMode {
    /// Never send a client certificate.
    Disable,
    /// Send one if asked and there is one.
    Allow,
    /// The server must ask for one.
    Require,
}

/// A TLS protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.0.
    V1_0,
    /// TLS 1.1.
    V1_1,
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    /// The version of that name. An empty one is no limit.
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "tlsv1" => Some(Self::V1_0),
            "tlsv1.1" => Some(Self::V1_1),
            "tlsv1.2" => Some(Self::V1_2),
            "tlsv1.3" => Some(Self::V1_3),
            _ => None,
        }
    }
}

impl Settings {
    /// The TLS settings, after the check against the table.
    pub(super) fn tls(&self, env: &dyn Environment) -> Result<TlsOptions, ConnInfoError> {
        let path = |name| self.get(name).map(PathBuf::from);
        let version = |name| self.get(name).and_then(TlsVersion::named);
        let mode_name = self.get("sslmode").unwrap_or("prefer");
        let tls = TlsOptions {
            mode: match mode_name {
                "disable" => TlsMode::Disable,
                "allow" => TlsMode::Allow,
                "require" => TlsMode::Require,
                "verify-ca" => TlsMode::VerifyCa,
                "verify-full" => TlsMode::VerifyFull,
                _ => TlsMode::Prefer,
            },
            negotiation: match self.get("sslnegotiation") {
                Some("direct") => TlsNegotiation::Direct,
                _ => TlsNegotiation::Postgres,
            },
            root_cert: path("sslrootcert"),
            cert: path("sslcert"),
            cert_mode: match self.get("sslcertmode") {
                Some("disable") => CertMode::Disable,
                Some("require") => CertMode::Require,
                _ => CertMode::Allow,
            },
            key: path("sslkey"),
            key_password: self.owned("sslpassword").map(Secret::new),
            crl: path("sslcrl"),
            crl_dir: path("sslcrldir"),
            // libpq looks at the first character only.
            sni: self
                .get("sslsni")
                .is_some_and(|value| value.starts_with('1')),
            min_protocol: version("ssl_min_protocol_version"),
            max_protocol: version("ssl_max_protocol_version"),
            default_dir: env.home().map(|home| home.join(".postgresql")),
        };
        if tls.negotiation == TlsNegotiation::Direct && tls.mode < TlsMode::Require {
            return Err(ConnInfoError::new(format!(
                "weak sslmode \"{mode_name}\" may not be used with sslnegotiation=direct \
                 (use \"require\", \"verify-ca\", or \"verify-full\")"
            )));
        }
        if self.get("sslrootcert") == Some("system") && tls.mode != TlsMode::VerifyFull {
            return Err(ConnInfoError::new(format!(
                "weak sslmode \"{mode_name}\" may not be used with sslrootcert=system (use \"verify-full\")"
            )));
        }
        if let (Some(min), Some(max)) = (tls.min_protocol, tls.max_protocol)
            && min > max
        {
            return Err(ConnInfoError::new("invalid SSL protocol version range"));
        }
        Ok(tls)
    }
}

#[cfg(test)]
mod tests {
    use super::super::environment::TestEnvironment;
    use super::super::parse::parse;
    use super::*;

    fn check<T>(connstr: &str, aspect: impl Fn(&TlsOptions) -> T, expected: Result<T, &str>)
    where
        T: PartialEq + std::fmt::Debug,
    {
        let found = parse(connstr)
            .and_then(|params| params.resolve(&TestEnvironment::new()))
            .map(|(info, _)| aspect(&info.tls))
            .map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{connstr}");
    }

    #[test]
    fn versions() {
        let range = |tls: &TlsOptions| (tls.min_protocol, tls.max_protocol);
        check("", range, Ok((Some(TlsVersion::V1_2), None)));
        check("ssl_min_protocol_version=''", range, Ok((None, None)));
        check(
            "ssl_min_protocol_version=tlsv1.1 ssl_max_protocol_version=TLSv1.3",
            range,
            Ok((Some(TlsVersion::V1_1), Some(TlsVersion::V1_3))),
        );
        check(
            "ssl_max_protocol_version=TLSv1.1",
            range,
            Err("invalid SSL protocol version range"),
        );
        check(
            "ssl_max_protocol_version=SSLv3",
            range,
            Err("invalid ssl_max_protocol_version value: \"SSLv3\""),
        );
    }

    #[test]
    fn files_and_switches() {
        let paths = |tls: &TlsOptions| {
            let all = [&tls.root_cert, &tls.cert, &tls.key, &tls.crl, &tls.crl_dir];
            all.map(|path| {
                path.as_ref()
                    .map_or("-".to_owned(), |path| path.display().to_string())
            })
            .join(" ")
        };
        check("", paths, Ok("- - - - -".to_owned()));
        let all = "sslrootcert=r sslcert=c sslkey=k sslcrl=l sslcrldir=d";
        check(all, paths, Ok("r c k l d".to_owned()));
        check("", |tls| tls.sni, Ok(true));
        check("sslsni=0", |tls| tls.sni, Ok(false));
        check("", |tls| tls.cert_mode, Ok(CertMode::Allow));
        check(
            "sslcertmode=require",
            |tls| tls.cert_mode,
            Ok(CertMode::Require),
        );
        let password = |tls: &TlsOptions| tls.key_password.as_ref().map(|p| p.expose().to_owned());
        check("sslpassword=p", password, Ok(Some("p".to_owned())));
    }

    #[test]
    fn weak_modes() {
        let negotiation = |tls: &TlsOptions| tls.negotiation;
        check(
            "sslnegotiation=direct sslmode=require",
            negotiation,
            Ok(TlsNegotiation::Direct),
        );
        check(
            "sslnegotiation=direct",
            negotiation,
            Err(
                "weak sslmode \"prefer\" may not be used with sslnegotiation=direct \
                 (use \"require\", \"verify-ca\", or \"verify-full\")",
            ),
        );
        check(
            "sslrootcert=system sslmode=verify-ca",
            negotiation,
            Err(
                "weak sslmode \"verify-ca\" may not be used with sslrootcert=system (use \"verify-full\")",
            ),
        );
    }
}
