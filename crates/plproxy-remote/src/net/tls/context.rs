//! The settings of TLS sessions: the files that a connection string names, read as libpq reads them.
//!
//! libpq reads them for every connection. Here connections with the same settings share a context as long as one of them lives
//! and no file has changed: certificates take memory and time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    SslContext, SslContextBuilder, SslContextRef, SslFiletype, SslMethod, SslMode, SslOptions,
    SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509Lookup;
use openssl::x509::verify::X509VerifyFlags;
use plproxy_core::conninfo::{CertMode, TlsMode, TlsOptions, TlsVersion};

use super::errors::{clear_errors, reason, shown};
use super::key;
use crate::error::system_words;

/// The value of `sslrootcert` that stands for the authorities that the system trusts.
pub(super) const SYSTEM: &str = "system";
/// Where the system keeps its certificates only OpenSSL knows, so that a change is not seen: such a context is shared for this
/// long only.
pub(crate) const SYSTEM_AGE: Duration = Duration::from_secs(1);

/// OpenSSL's context of sessions.
pub(crate) struct Context(SslContext);

/// What is not in files.
#[derive(Default)]
pub(super) struct Given {
    /// The private key of the client's certificate.
    pub(super) key: Option<PKey<Private>>,
    /// Certificates are to be checked against revocation lists, even if there are none.
    pub(super) check_revocation: bool,
}

impl Context {
    pub(super) fn new(options: &TlsOptions, given: Given) -> Result<Rc<Context>, String> {
        clear_errors();
        let context = build(options, given);
        clear_errors();
        Ok(Rc::new(Context(context?)))
    }

    pub(super) fn ssl(&self) -> &SslContextRef {
        &self.0
    }
}

/// The contexts in use.
#[derive(Default)]
pub(crate) struct Contexts(RefCell<HashMap<TlsOptions, Known>>);

struct Known {
    context: Weak<Context>,
    files: Vec<Trace>,
    made: Instant,
}

impl Contexts {
    /// The context for the settings; or why there is none, in libpq's words.
    pub(crate) fn get(&self, options: &TlsOptions) -> Result<Rc<Context>, String> {
        let files = traces(options);
        let system = options.root_cert.as_deref() == Some(Path::new(SYSTEM));
        let mut contexts = self.0.borrow_mut();
        if let Some(known) = contexts.get(options)
            && known.files == files
            && !(system && known.made.elapsed() > SYSTEM_AGE)
            && let Some(context) = known.context.upgrade()
        {
            return Ok(context);
        }
        let context = Context::new(options, Given::default())?;
        contexts.retain(|_, known| known.context.strong_count() > 0);
        contexts.insert(
            options.clone(),
            Known {
                context: Rc::downgrade(&context),
                files,
                made: Instant::now(),
            },
        );
        Ok(context)
    }
}

/// Tells a file from another one of the same name.
#[derive(PartialEq, Eq)]
struct Trace(PathBuf, Option<[i128; 5]>);

/// All files that may matter, as they are now.
fn traces(options: &TlsOptions) -> Vec<Trace> {
    let files = [
        path(&options.root_cert, options, "root.crt"),
        path(&options.crl, options, "root.crl"),
        path(&options.cert, options, "postgresql.crt"),
        path(&options.key, options, "postgresql.key"),
        options.crl_dir.clone(),
    ];
    let mut traces: Vec<Trace> = files.into_iter().flatten().map(trace).collect();
    if let Some(dir) = &options.crl_dir {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        traces.extend(entries.map(|entry| trace(entry.path())));
    }
    traces
}

fn trace(path: PathBuf) -> Trace {
    let seen = fs::metadata(&path).ok().map(|file| {
        [
            file.dev().into(),
            file.ino().into(),
            file.size().into(),
            file.ctime().into(),
            file.ctime_nsec().into(),
        ]
    });
    Trace(path, seen)
}

/// The file that was named, else the one of that name in the user's directory.
pub(super) fn path(given: &Option<PathBuf>, options: &TlsOptions, name: &str) -> Option<PathBuf> {
    let default = || options.default_dir.as_ref().map(|dir| dir.join(name));
    given.clone().or_else(default)
}

fn build(options: &TlsOptions, given: Given) -> Result<SslContext, String> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_client())
        .map_err(|error| format!("could not create SSL context: {}", reason(&error)))?;
    if let Some(version) = options.min_protocol {
        builder
            .set_min_proto_version(Some(number(version)))
            .map_err(|error| {
                let reason = reason(&error);
                format!("could not set minimum SSL protocol version: {reason}")
            })?;
    }
    if let Some(version) = options.max_protocol {
        builder
            .set_max_proto_version(Some(number(version)))
            .map_err(|error| {
                let reason = reason(&error);
                format!("could not set maximum SSL protocol version: {reason}")
            })?;
    }
    // Idle connections keep no buffers; one read of the socket gets a whole record.
    builder.set_mode(SslMode::RELEASE_BUFFERS | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    builder.set_read_ahead(true);
    // The server's certificate was verified once.
    builder.set_options(SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION);
    let verified = authorities(&mut builder, options, given.check_revocation)?;
    builder.set_verify(if verified {
        SslVerifyMode::PEER
    } else {
        SslVerifyMode::NONE
    });
    own_certificate(&mut builder, options, given.key)?;
    Ok(builder.build())
}

fn number(version: TlsVersion) -> SslVersion {
    match version {
        TlsVersion::V1_0 => SslVersion::TLS1,
        TlsVersion::V1_1 => SslVersion::TLS1_1,
        TlsVersion::V1_2 => SslVersion::TLS1_2,
        TlsVersion::V1_3 => SslVersion::TLS1_3,
    }
}

/// Sets the trusted authorities. Whether the server's certificate is to be verified at all: in every mode where there is a root
/// file.
fn authorities(
    builder: &mut SslContextBuilder,
    options: &TlsOptions,
    check_revocation: bool,
) -> Result<bool, String> {
    const HOW: &str = "Either provide the file, use the system's trusted roots with sslrootcert=system, or change \
                       sslmode to disable server certificate verification.";
    let root = path(&options.root_cert, options, "root.crt");
    if options.root_cert.as_deref() == Some(Path::new(SYSTEM)) {
        builder.set_default_verify_paths().map_err(|error| {
            let reason = reason(&error);
            format!("could not load system root certificate paths: {reason}")
        })?;
        return Ok(true);
    }
    let optional = options.mode < TlsMode::VerifyCa;
    let Some(root) = root else {
        return if optional {
            Ok(false)
        } else {
            Err(format!(
                "could not get home directory to locate root certificate file\n{HOW}"
            ))
        };
    };
    let shown = shown(&root);
    let file = match fs::metadata(&root) {
        Ok(file) => file,
        Err(_) if optional => return Ok(false),
        Err(_) => {
            return Err(format!(
                "root certificate file \"{shown}\" does not exist\n{HOW}"
            ));
        }
    };
    let failed = |why: String| format!("could not read root certificate file \"{shown}\": {why}");
    plain(&root, &file).map_err(failed)?;
    builder
        .load_verify_locations(Some(&root), None)
        .map_err(|error| failed(reason(&error)))?;
    revoked(builder, options, check_revocation)?;
    Ok(true)
}

/// Sets the revocation lists. A file that does not exist is no list, as in libpq; one that cannot be read, or has no list in it,
/// is an error, where libpq would go on without.
fn revoked(
    builder: &mut SslContextBuilder,
    options: &TlsOptions,
    mut any: bool,
) -> Result<(), String> {
    let file = match &options.crl_dir {
        Some(_) => options.crl.clone(),
        None => path(&options.crl, options, "root.crl"),
    };
    if let Some(file) = file
        && let Some(found) = found(&file)
    {
        let failed = |why: String| {
            let shown = shown(&file);
            format!("could not read certificate revocation list file \"{shown}\": {why}")
        };
        let found = found.map_err(|error| failed(system_words(&error)))?;
        plain(&file, &found).map_err(failed)?;
        builder
            .cert_store_mut()
            .add_lookup(X509Lookup::file())
            .and_then(|lookup| lookup.load_crl_file(&file, SslFiletype::PEM))
            .map_err(|error| failed(reason(&error)))?;
        any = true;
    }
    if let Some(dir) = &options.crl_dir
        && let Some(found) = found(dir)
    {
        let failed = |why: String| {
            let shown = shown(dir);
            format!("could not read certificate revocation list directory \"{shown}\": {why}")
        };
        found.map_err(|error| failed(system_words(&error)))?;
        // Checked now whether it can be read, as OpenSSL reads it later, and reports no error.
        fs::read_dir(dir).map_err(|error| failed(system_words(&error)))?;
        let name = name(dir).map_err(failed)?;
        builder
            .cert_store_mut()
            .add_lookup(X509Lookup::hash_dir())
            .and_then(|lookup| lookup.add_dir(name, SslFiletype::PEM))
            .map_err(|error| failed(reason(&error)))?;
        any = true;
    }
    if any {
        builder
            .cert_store_mut()
            .set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)
            .map_err(|error| format!("could not create SSL context: {}", reason(&error)))?;
    }
    Ok(())
}

/// The file of that name, if it exists.
pub(super) fn found(path: &Path) -> Option<io::Result<Metadata>> {
    match fs::metadata(path) {
        Err(error) if is_missing(&error) => None,
        found => Some(found),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Sets the client's certificate, for a server that asks for it.
fn own_certificate(
    builder: &mut SslContextBuilder,
    options: &TlsOptions,
    given: Option<PKey<Private>>,
) -> Result<(), String> {
    if options.cert_mode == CertMode::Disable {
        return Ok(());
    }
    let Some(cert) = path(&options.cert, options, "postgresql.crt") else {
        return Ok(());
    };
    let name = shown(&cert);
    let file = match fs::metadata(&cert) {
        Ok(file) => file,
        // Whether one is required is for the server to say.
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => {
            let words = system_words(&error);
            return Err(format!(
                "could not open certificate file \"{name}\": {words}"
            ));
        }
    };
    let failed = |why: String| format!("could not read certificate file \"{name}\": {why}");
    plain(&cert, &file).map_err(failed)?;
    builder
        .set_certificate_chain_file(&cert)
        .map_err(|error| failed(reason(&error)))?;
    if let Some(key) = given {
        return builder
            .set_private_key(&key)
            .map_err(|error| format!("could not load private key: {}", reason(&error)));
    }
    if let Some(key) = &options.key
        && key::is_engine(key)
    {
        // What follows the colon may be a PIN.
        return Err("sslkey names a key of an OpenSSL engine, which is not supported".into());
    }
    let Some(file) = path(&options.key, options, "postgresql.key") else {
        return Err("could not get home directory to locate private key file".into());
    };
    let key = key::read(&file, options.key_password.as_ref())?;
    // This also checks whether key and certificate match.
    builder.set_private_key(&key).map_err(|error| {
        format!(
            "could not load private key file \"{}\": {}",
            shown(&file),
            reason(&error)
        )
    })
}

/// Refuses a file that OpenSSL cannot be given to read: a pipe might never end.
fn plain(path: &Path, file: &Metadata) -> Result<(), String> {
    if !file.is_file() {
        return Err("not a regular file".into());
    }
    name(path).map(|_| ())
}

/// A path as text.
fn name(path: &Path) -> Result<&str, String> {
    path.to_str()
        .filter(|path| !path.contains('\0'))
        .ok_or_else(|| "invalid file name".into())
}
