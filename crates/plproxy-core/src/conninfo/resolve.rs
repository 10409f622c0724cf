//! From what was written to what to do: service file, environment, defaults, password file, checks, in libpq's order.

use std::path::PathBuf;

use super::environment::Environment;
use super::error::{ConnInfoError, Warning};
use super::hosts;
use super::keywords::{KEYWORDS, Keyword};
use super::mask;
use super::params::Params;
use super::passfile::PassFile;
use super::secret::Secret;
use super::service;
use super::types::{
    ChannelBinding, ConnInfo, Host, HostName, Keepalives, LoadBalanceHosts, PasswordRule,
    TargetSessionAttrs,
};
use super::values::Settings;

impl Params {
    /// Fills in what was not given and checks everything. `dbname` is a name, whatever it looks like: libpq expands a
    /// connection string in it only for callers that ask for it, and `PQconnectdb` does not.
    pub fn resolve(
        &self,
        env: &dyn Environment,
    ) -> Result<(ConnInfo, Vec<Warning>), ConnInfoError> {
        let settings = gather(self, env)?;
        let mut hosts = hosts::build(&settings, env)?;
        let user = match settings.owned("user") {
            Some(user) => user,
            None => env.user().map_err(ConnInfoError::new)?,
        };
        let dbname = settings.owned("dbname").unwrap_or_else(|| user.clone());
        settings.check()?;

        let mut warnings = Vec::new();
        let password = settings.owned("password").map(Secret::new);
        let passfile = match password {
            Some(_) => None,
            None => passwords(&mut hosts, &settings, env, &dbname, &user, &mut warnings),
        };
        let tcp = hosts.iter().any(|host| host.socket_path().is_none());
        let info = ConnInfo {
            tls: settings.tls(env)?,
            channel_binding: match settings.get("channel_binding") {
                Some("disable") => ChannelBinding::Disable,
                Some("require") => ChannelBinding::Require,
                _ => ChannelBinding::Prefer,
            },
            require_auth: settings.require_auth()?,
            require_peer: settings.owned("requirepeer"),
            target_session_attrs: match settings.get("target_session_attrs") {
                Some("read-write") => TargetSessionAttrs::ReadWrite,
                Some("read-only") => TargetSessionAttrs::ReadOnly,
                Some("primary") => TargetSessionAttrs::Primary,
                Some("standby") => TargetSessionAttrs::Standby,
                Some("prefer-standby") => TargetSessionAttrs::PreferStandby,
                _ => TargetSessionAttrs::Any,
            },
            load_balance_hosts: match settings.get("load_balance_hosts") {
                Some("random") => LoadBalanceHosts::Random,
                _ => LoadBalanceHosts::Disable,
            },
            // Rounding could make one second none at all: libpq's users know two as the least.
            connect_timeout: settings
                .seconds("connect_timeout")?
                .map(|limit| limit.max(std::time::Duration::from_secs(2))),
            keepalives: if tcp {
                keepalives(&settings)?
            } else {
                Keepalives::default()
            },
            tcp_user_timeout: match settings.positive("tcp_user_timeout") {
                Ok(limit) => limit.map(|ms| std::time::Duration::from_millis(ms.into())),
                Err(error) if tcp => return Err(error),
                Err(_) => None,
            },
            application_name: settings.given("application_name").map(str::to_owned),
            fallback_application_name: settings.owned("fallback_application_name"),
            options: settings.owned("options"),
            session_defaults: [
                ("datestyle", "PGDATESTYLE"),
                ("timezone", "PGTZ"),
                ("geqo", "PGGEQO"),
            ]
            .into_iter()
            .filter_map(|(setting, var)| Some((setting, env.var(var)?)))
            // As in libpq, where such a variable asks for the server's own default.
            .filter(|(_, value)| !value.eq_ignore_ascii_case("default"))
            .collect(),
            hosts,
            user,
            password,
            password_rule: PasswordRule::Free,
            passfile,
            dbname,
            mangled: settings.mangled,
        };
        Ok((info, warnings))
    }
}

/// One value per keyword. What is written wins over the service, that over the environment, that over the default.
fn gather(params: &Params, env: &dyn Environment) -> Result<Settings, ConnInfoError> {
    let mut settings = Settings::default();
    settings.suspicious = params.suspicious;
    settings.mangled = params.mangled;
    settings.uri = params.uri;
    settings.doubtful_hosts = params.doubtful_hosts;
    for (name, value) in params.iter() {
        let keyword = Keyword::find(name)
            .ok_or_else(|| ConnInfoError::unknown_option(mask::name(name, false)))?;
        settings.put(keyword.name, value);
    }
    if let Some(service) = settings
        .given("service")
        .map(str::to_owned)
        .or_else(|| env.var("PGSERVICE"))
    {
        let file = settings
            .given("servicefile")
            .map(|path| (path, settings.show(path)));
        for (name, value) in service::load(env, file, &service, settings.show(&service))? {
            if !settings.has(name) {
                settings.put(name, value);
            }
        }
    }
    // Whether the mode is the built-in default, rather than anybody's choice.
    let mut default_mode = false;
    for keyword in KEYWORDS {
        if settings.has(keyword.name) {
            continue;
        }
        if let Some(value) = keyword.env.and_then(|name| env.var(name)) {
            settings.put(keyword.name, value);
        } else if keyword.name == "sslmode"
            && env.var("PGREQUIRESSL").is_some_and(|v| v.starts_with('1'))
        {
            settings.put(keyword.name, "require");
        } else if let Some(value) = keyword.default {
            default_mode |= keyword.name == "sslmode";
            settings.put(keyword.name, value);
        }
    }
    // The system's authorities vouch for everybody, so that nothing less than a check of the name is worth having.
    if default_mode && settings.get("sslrootcert") == Some("system") {
        settings.put("sslmode", "verify-full");
    }
    Ok(settings)
}

fn keepalives(settings: &Settings) -> Result<Keepalives, ConnInfoError> {
    if settings.integer("keepalives")? == Some(0) {
        return Ok(Keepalives {
            enabled: false,
            ..Keepalives::default()
        });
    }
    Ok(Keepalives {
        enabled: true,
        idle: settings.seconds("keepalives_idle")?,
        interval: settings.seconds("keepalives_interval")?,
        count: settings.positive("keepalives_count")?,
    })
}

impl Default for Keepalives {
    fn default() -> Self {
        Self {
            enabled: true,
            idle: None,
            interval: None,
            count: None,
        }
    }
}

/// Looks in the password file for each host, and gives the file's name for messages.
fn passwords(
    hosts: &mut [Host],
    settings: &Settings,
    env: &dyn Environment,
    dbname: &str,
    user: &str,
    warnings: &mut Vec<Warning>,
) -> Option<String> {
    let path = settings.get("passfile").map(PathBuf::from);
    let path = path.or_else(|| env.home().map(|home| home.join(".pgpass")))?;
    let shown = mask::shown(settings.show(&path.display().to_string())).to_owned();
    let file = PassFile::open(env, &path, &shown, warnings)?;
    let socket_dir = env.default_socket_dir();
    for host in hosts {
        let name = match &host.name {
            HostName::Name(name) => name.clone(),
            HostName::Unix(dir) if *dir == socket_dir => "localhost".to_owned(),
            HostName::Unix(dir) => dir.display().to_string(),
        };
        host.password = file.find([&name, &host.port.to_string(), dbname, user], warnings);
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::environment::TestEnvironment;
    use super::super::parse::parse;
    use super::super::tls::TlsMode;
    use super::*;

    fn resolve(connstr: &str, env: &TestEnvironment) -> Result<(ConnInfo, Vec<Warning>), String> {
        parse(connstr)
            .and_then(|params| params.resolve(env))
            .map_err(|error| error.to_string())
    }

    /// Compares one aspect of the outcome.
    fn check<T>(connstr: &str, env: &TestEnvironment, aspect: impl Fn(&ConnInfo) -> T, expected: T)
    where
        T: PartialEq + std::fmt::Debug,
    {
        let (info, _) = resolve(connstr, env).unwrap_or_else(|error| panic!("{connstr}: {error}"));
        assert_eq!(aspect(&info), expected, "{connstr}");
    }

    fn names(info: &ConnInfo) -> String {
        format!("{}/{}", info.user, info.dbname)
    }

    #[test]
    fn users_and_databases() {
        let env = TestEnvironment::new();
        check("", &env, names, "os_user/os_user".into());
        check("user=''", &env, names, "os_user/os_user".into());
        check("user=u", &env, names, "u/u".into());
        check("user=u dbname=d", &env, names, "u/d".into());
        check("user=u dbname='host=x'", &env, names, "u/host=x".into());
        check("dbname=a dbname=b", &env, names, "os_user/b".into());
        let env = env.with_var("PGUSER", "eu").with_var("PGDATABASE", "ed");
        check("", &env, names, "eu/ed".into());
        check("user=u dbname=d", &env, names, "u/d".into());
        check("dbname=''", &env, names, "eu/eu".into());
    }

    #[test]
    fn written_then_service_then_environment_then_default() {
        let port = |info: &ConnInfo| info.hosts[0].port;
        let env = TestEnvironment::new();
        check("", &env, port, 5432);
        let env = env.with_var("PGPORT", "1");
        check("", &env, port, 1);
        check("port=''", &env, port, 5432);
        let env = env.with_file("/home/os_user/.pg_service.conf", 0o644, "[s]\nport=2");
        check("service=s", &env, port, 2);
        check("service=s port=3", &env, port, 3);
        check("", &env.clone().with_var("PGSERVICE", "s"), port, 2);
        // The file that the string names comes before that of the environment, and the user's own is not looked for.
        let env = env
            .with_var("PGSERVICEFILE", "/from/environment")
            .with_file("/from/environment", 0o644, "[s]\nport=4")
            .with_file("/from/string", 0o644, "[s]\nport=5");
        check("service=s", &env, port, 4);
        check("service=s servicefile=/from/string", &env, port, 5);
        check(
            "servicefile=/from/string",
            &env.clone().with_var("PGSERVICE", "s"),
            port,
            5,
        );
        let missing =
            |file: &str| resolve(&format!("service=s servicefile='{file}'"), &env).unwrap_err();
        assert_eq!(missing("/no"), "service file \"/no\" not found");
        assert_eq!(missing(""), "service file \"\" not found");
        // Without a service there is nothing to look up in it.
        check("servicefile=/no port=6", &env, port, 6);

        let error = "definition of service \"t\" not found";
        assert_eq!(
            resolve("service=t", &env.with_var("PGSERVICE", "s")).unwrap_err(),
            error
        );
    }

    #[test]
    fn passwords_are_found() {
        let shown = |info: &ConnInfo| {
            let all = info
                .hosts
                .iter()
                .map(|host| &host.password)
                .chain([&info.password]);
            all.map(|secret| secret.as_ref().map_or("-", Secret::expose).to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let file = "localhost:*:*:*:local\na:*:*:*:for_a\nb:2:*:*:for_b\n/tmp:*:*:*:sock\n10.0.0.1:*:*:*:addr\n";
        let env = TestEnvironment::new().with_file("/home/os_user/.pgpass", 0o600, file);
        check("", &env, shown, "local -".into());
        check("host=/var/run/postgresql", &env, shown, "local -".into());
        check("host=/tmp", &env, shown, "sock -".into());
        check(
            "host=a,b,b,c port=1,2,3,4",
            &env,
            shown,
            "for_a for_b - - -".into(),
        );
        check("host=a,b password=p", &env, shown, "- - p".into());
        check("host=a password=''", &env, shown, "for_a -".into());
        check("hostaddr=10.0.0.1", &env, shown, "addr -".into());
        check("host=a hostaddr=10.0.0.1", &env, shown, "for_a -".into());
        check(
            "host=a",
            &env.clone().with_var("PGPASSWORD", "e"),
            shown,
            "- e".into(),
        );
        let env =
            env.with_file("/p", 0o600, "*:*:*:*:other")
                .with_file("/q", 0o600, "*:*:*:*:third");
        check("passfile=/p", &env, shown, "other -".into());
        check(
            "",
            &env.clone().with_var("PGPASSFILE", "/p"),
            shown,
            "other -".into(),
        );
        check(
            "passfile=/q",
            &env.clone().with_var("PGPASSFILE", "/p"),
            shown,
            "third -".into(),
        );
        check("passfile=/none", &env, shown, "- -".into());
        let (_, warnings) =
            resolve("passfile=/r", &env.with_file("/r", 0o644, "*:*:*:*:x")).unwrap();
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn times_and_keepalives() {
        let env = TestEnvironment::new();
        let timeout = |info: &ConnInfo| info.connect_timeout.map(|limit| limit.as_secs());
        check("", &env, timeout, None);
        check("connect_timeout=0", &env, timeout, None);
        check("connect_timeout=-1", &env, timeout, None);
        check("connect_timeout=1", &env, timeout, Some(2));
        check("connect_timeout=' +10 '", &env, timeout, Some(10));
        let keepalives = |info: &ConnInfo| info.keepalives.clone();
        check("host=h", &env, keepalives, Keepalives::default());
        let off = Keepalives {
            enabled: false,
            ..Keepalives::default()
        };
        check(
            "host=h keepalives=0 keepalives_idle=5",
            &env,
            keepalives,
            off,
        );
        let on = Keepalives {
            enabled: true,
            idle: Some(Duration::from_secs(5)),
            interval: None,
            count: Some(3),
        };
        check(
            "host=h keepalives_idle=5 keepalives_interval=0 keepalives_count=3",
            &env,
            keepalives,
            on,
        );
        check(
            "host=/tmp keepalives=x",
            &env,
            keepalives,
            Keepalives::default(),
        );
        let user_timeout = |info: &ConnInfo| info.tcp_user_timeout;
        check(
            "host=h tcp_user_timeout=1500",
            &env,
            user_timeout,
            Some(Duration::from_millis(1500)),
        );
        check("host=h tcp_user_timeout=-1", &env, user_timeout, None);
        check("host=/tmp tcp_user_timeout=x", &env, user_timeout, None);
    }

    #[test]
    fn the_tls_mode_has_several_sources() {
        let env = TestEnvironment::new();
        let mode = |info: &ConnInfo| info.tls.mode;
        check("", &env, mode, TlsMode::Prefer);
        check("sslmode=disable", &env, mode, TlsMode::Disable);
        check("postgresql:///?ssl=true", &env, mode, TlsMode::Require);
        check("requiressl=1", &env, mode, TlsMode::Require);
        check("sslrootcert=system", &env, mode, TlsMode::VerifyFull);
        let old = env.clone().with_var("PGREQUIRESSL", "1");
        check("", &old, mode, TlsMode::Require);
        check(
            "",
            &old.with_var("PGSSLMODE", "allow"),
            mode,
            TlsMode::Allow,
        );
    }

    #[test]
    fn names_of_the_application_and_session_defaults() {
        let name = |info: &ConnInfo| info.application_name.clone();
        let env = TestEnvironment::new();
        check("", &env, name, None);
        check("application_name=''", &env, name, Some(String::new()));
        check(
            "",
            &env.clone().with_var("PGAPPNAME", "e"),
            name,
            Some("e".into()),
        );
        let session = |info: &ConnInfo| info.session_defaults.clone();
        check("", &env, session, vec![]);
        let env = env.with_var("PGTZ", "UTC").with_var("PGGEQO", "DEFAULT");
        check("", &env, session, vec![("timezone", "UTC".to_owned())]);
    }

    #[test]
    fn errors_are_libpqs() {
        let check = |connstr: &str, expected: &str| {
            let found = resolve(connstr, &TestEnvironment::new()).map(|(info, _)| info);
            assert_eq!(found, Err(expected.to_owned()), "{connstr}");
        };
        check("sslmode=REQUIRE", "invalid sslmode value: \"REQUIRE\"");
        check("sslmode=''", "invalid sslmode value: \"\"");
        check("channel_binding=x", "invalid channel_binding value: \"x\"");
        check(
            "target_session_attrs=x",
            "invalid target_session_attrs value: \"x\"",
        );
        check(
            "load_balance_hosts=x",
            "invalid load_balance_hosts value: \"x\"",
        );
        check(
            "connect_timeout=x",
            "invalid integer value \"x\" for connection option \"connect_timeout\"",
        );
        check(
            "connect_timeout=''",
            "invalid integer value \"\" for connection option \"connect_timeout\"",
        );
        check(
            "host=h keepalives=x",
            "invalid integer value \"x\" for connection option \"keepalives\"",
        );
        check(
            "host=h tcp_user_timeout=x",
            "invalid integer value \"x\" for connection option \"tcp_user_timeout\"",
        );
        check(
            "gssencmode=require",
            "gssencmode value \"require\" is not supported",
        );
        check("gssencmode=x", "invalid gssencmode value: \"x\"");
        check(
            "replication=database",
            "connection option \"replication\" is not supported",
        );
        check(
            "scram_client_key=hunter2",
            "connection option \"scram_client_key\" is not supported",
        );
        check(
            "min_protocol_version=3.2",
            "min_protocol_version value \"3.2\" is not supported",
        );
        for harmless in [
            "replication=OFF",
            "gssencmode=prefer",
            "max_protocol_version=latest",
            "krbsrvname=x",
        ] {
            assert!(
                resolve(harmless, &TestEnvironment::new()).is_ok(),
                "{harmless}"
            );
        }
        let mut params = Params::default();
        params.set("hosst", "h");
        let error = params
            .resolve(&TestEnvironment::new())
            .unwrap_err()
            .to_string();
        assert_eq!(error, "invalid connection option \"hosst\"");
    }
}
