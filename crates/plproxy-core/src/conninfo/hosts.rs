//! The lists of hosts, addresses and ports, put together.

use std::net::IpAddr;
use std::path::PathBuf;

use super::environment::Environment;
use super::error::ConnInfoError;
use super::mask::{self, HIDDEN};
use super::types::{Host, HostName};
use super::values::Settings;

/// The hosts in order, without passwords.
pub(super) fn build(
    settings: &Settings,
    env: &dyn Environment,
) -> Result<Vec<Host>, ConnInfoError> {
    let list = |name| {
        settings
            .get(name)
            .map(|value| value.split(',').collect::<Vec<_>>())
    };
    let addresses = list("hostaddr");
    let names = list("host");
    let count = addresses.as_ref().or(names.as_ref()).map_or(1, Vec::len);
    if let Some(names) = &names
        && names.len() != count
    {
        return Err(ConnInfoError::new(format!(
            "could not match {} host names to {count} hostaddr values",
            names.len()
        )));
    }
    let ports = list("port").unwrap_or_else(|| vec![""]);
    if ports.len() != 1 && ports.len() != count {
        return Err(ConnInfoError::new(format!(
            "could not match {} port numbers to {count} hosts",
            ports.len()
        )));
    }
    // A single port serves all hosts.
    let mut ports = ports.into_iter();
    let mut port = port_number(settings, ports.next().unwrap_or(""))?;
    let mut hosts = Vec::with_capacity(count);
    // A comma may stand in what was swallowed.
    let swallows = |list| {
        settings
            .get(list)
            .is_some_and(|list| mask::shown(list) == HIDDEN)
    };
    let hidden = settings.mangled || settings.doubtful_hosts || swallows("host");
    for at in 0..count {
        if at > 0
            && let Some(text) = ports.next()
        {
            port = port_number(settings, text)?;
        }
        let pick = |list: &Option<Vec<&str>>| {
            list.as_ref()
                .and_then(|list| list.get(at).map(|item| (*item).to_owned()))
                .unwrap_or_default()
        };
        let (name, address) = (pick(&names), pick(&addresses));
        // No name has these. They come from a URI whose password holds an unencoded `@`, or from settings that are
        // joined by something else than space, so that a password would be looked up, and shown, as a host.
        if name.trim_start_matches('@').contains(['@', '=']) && !name.starts_with('/') {
            return Err(ConnInfoError::new(format!(
                "invalid host name: \"{HIDDEN}\""
            )));
        }
        hosts.push(Host {
            hidden: hidden
                || (settings.uri && !name.starts_with(['/', '@']) && !mask::is_host(&name)),
            hostaddr: parse_address(settings, &address)?,
            named: !name.is_empty(),
            name: name_of(name, address, env),
            port,
            password: None,
        });
    }
    Ok(hosts)
}

fn name_of(name: String, address: String, env: &dyn Environment) -> HostName {
    if name.starts_with(['/', '@']) {
        HostName::Unix(PathBuf::from(name))
    } else if !name.is_empty() {
        HostName::Name(name)
    } else if !address.is_empty() {
        HostName::Name(address)
    } else {
        HostName::Unix(env.default_socket_dir())
    }
}

fn parse_address(settings: &Settings, text: &str) -> Result<Option<IpAddr>, ConnInfoError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        // The last words are getaddrinfo's, which libpq asks.
        ConnInfoError::new(format!(
            "could not parse network address \"{}\": Name or service not known",
            settings.show(text)
        ))
    })
}

fn port_number(settings: &Settings, text: &str) -> Result<u16, ConnInfoError> {
    if text.is_empty() {
        return Ok(5432);
    }
    let number = settings.parse_integer("port", text)?;
    u16::try_from(number)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| {
            ConnInfoError::new(format!("invalid port number: \"{}\"", settings.show(text)))
        })
}

#[cfg(test)]
mod tests {
    use super::super::environment::TestEnvironment;
    use super::super::parse::parse;

    fn check(connstr: &str, expected: Result<&str, &str>) {
        let found = parse(connstr)
            .and_then(|params| params.resolve(&TestEnvironment::new()))
            .map_err(|error| error.to_string())
            .map(|(info, _)| {
                let one = |host: &super::Host| {
                    let name = match &host.name {
                        super::HostName::Name(name) => name.clone(),
                        super::HostName::Unix(path) => format!("unix:{}", path.display()),
                    };
                    let address = host
                        .hostaddr
                        .map(|address| format!("={address}"))
                        .unwrap_or_default();
                    format!("{name}{address}:{}", host.port)
                };
                info.hosts.iter().map(one).collect::<Vec<_>>().join(" ")
            });
        assert_eq!(
            found.as_deref().map_err(String::as_str),
            expected,
            "{connstr}"
        );
    }

    #[test]
    fn lists_are_put_together() {
        check("", Ok("unix:/var/run/postgresql:5432"));
        check("host=h", Ok("h:5432"));
        check("host=/tmp port=1", Ok("unix:/tmp:1"));
        check("host=@x", Ok("unix:@x:5432"));
        check("host=a,b,c port=1", Ok("a:1 b:1 c:1"));
        check("host=a,b,c port=1,,3", Ok("a:1 b:5432 c:3"));
        check(
            "host=a,/tmp,",
            Ok("a:5432 unix:/tmp:5432 unix:/var/run/postgresql:5432"),
        );
        check(
            "hostaddr=1.2.3.4,::1",
            Ok("1.2.3.4=1.2.3.4:5432 ::1=::1:5432"),
        );
        check("host=a,b hostaddr=1.2.3.4,", Ok("a=1.2.3.4:5432 b:5432"));
        check(
            "hostaddr=1.2.3.4, host=,",
            Ok("1.2.3.4=1.2.3.4:5432 unix:/var/run/postgresql:5432"),
        );
        check("port=' +65535 '", Ok("unix:/var/run/postgresql:65535"));
        check("postgresql://%2Ftmp,h:2/", Ok("unix:/tmp:5432 h:2"));
        check("postgresql://[::1]:3/", Ok("::1:3"));
    }

    #[test]
    fn errors_are_libpqs() {
        check(
            "port=1,2 host=a",
            Err("could not match 2 port numbers to 1 hosts"),
        );
        check("port=1,2", Err("could not match 2 port numbers to 1 hosts"));
        check(
            "host=a,b port=5,6,7",
            Err("could not match 3 port numbers to 2 hosts"),
        );
        check(
            "host=a,b,c port=5,6",
            Err("could not match 2 port numbers to 3 hosts"),
        );
        check(
            "host=a,b hostaddr=1.2.3.4",
            Err("could not match 2 host names to 1 hostaddr values"),
        );
        check(
            "host=a hostaddr=1.2.3.4,",
            Err("could not match 1 host names to 2 hostaddr values"),
        );
        check(
            "port=x",
            Err("invalid integer value \"x\" for connection option \"port\""),
        );
        check(
            "port=99999999999",
            Err("invalid integer value \"99999999999\" for connection option \"port\""),
        );
        check("port=0", Err("invalid port number: \"0\""));
        check("port=-1", Err("invalid port number: \"-1\""));
        check("port=65536", Err("invalid port number: \"65536\""));
        check(
            "hostaddr=x",
            Err("could not parse network address \"x\": Name or service not known"),
        );
        check("postgresql://u:p@w@h", Err("invalid host name: \"***\""));
        check("host=h;password=p", Err("invalid host name: \"***\""));
        check(
            "postgresql://u:pw/d",
            Err("invalid integer value \"***\" for connection option \"port\""),
        );
    }
}
