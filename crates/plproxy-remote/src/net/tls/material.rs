//! What the files of the TLS settings hold, for another process to make the same context of.
//!
//! They are read by the process whose settings they are, after it has made a context of its own: what is wrong with a file it has
//! said by then. Names do not leave it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use openssl::pkey::PKey;
use openssl::x509::{X509, X509Crl};
use plproxy_core::conninfo::{CertMode, TlsMode, TlsNegotiation, TlsOptions, TlsVersion};
use plproxy_core::room::reserve_exact;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;

use super::context::{Context, Given, SYSTEM, found, path};
use super::errors::{clear_errors, reason, shown};
use super::key;
use crate::error::system_words;

/// The most that a file may hold, and all lists of a directory.
pub(crate) const LIMIT: usize = 16 << 20;

/// Where trusted authorities come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    /// The server's certificate is not verified.
    None,
    /// The authorities that the system trusts.
    System,
    /// The content of the file.
    File(Vec<u8>),
}

/// All that makes a context.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Material {
    pub(crate) mode: TlsMode,
    pub(crate) negotiation: TlsNegotiation,
    pub(crate) sni: bool,
    pub(crate) min_protocol: Option<TlsVersion>,
    pub(crate) max_protocol: Option<TlsVersion>,
    pub(crate) root: Root,
    /// Revocation lists, if certificates are to be checked against any.
    pub(crate) revoked: Option<Vec<u8>>,
    /// The client's certificate, with those of the authorities between.
    pub(crate) certificate: Option<Vec<u8>>,
    /// Its private key, as PKCS #8.
    pub(crate) key: Vec<u8>,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").finish_non_exhaustive()
    }
}

impl Drop for Material {
    fn drop(&mut self) {
        self.key.fill(0);
    }
}

impl Material {
    /// Reads the files. What this process's own context has been made of may have changed since, hence the errors.
    pub(crate) fn read(options: &TlsOptions) -> Result<Material, String> {
        let mut material = Material {
            mode: options.mode,
            negotiation: options.negotiation,
            sni: options.sni,
            min_protocol: options.min_protocol,
            max_protocol: options.max_protocol,
            root: Root::None,
            revoked: None,
            certificate: None,
            key: Vec::new(),
        };
        if options.root_cert.as_deref() == Some(Path::new(SYSTEM)) {
            material.root = Root::System;
        } else if let Some(root) = path(&options.root_cert, options, "root.crt")
            && fs::metadata(&root).is_ok()
        {
            material.root = Root::File(content(&root, "root certificate file")?);
            material.revoked = revoked(options)?;
        }
        if options.cert_mode != CertMode::Disable
            && let Some(file) = path(&options.cert, options, "postgresql.crt")
            && found(&file).is_some()
        {
            material.certificate = Some(content(&file, "certificate file")?);
            if let Some(file) = path(&options.key, options, "postgresql.key") {
                let key = key::read(&file, options.key_password.as_ref())?;
                material.key = key.private_key_to_pkcs8().map_err(|error| {
                    let (name, why) = (shown(&file), reason(&error));
                    format!("could not load private key file \"{name}\": {why}")
                })?;
            }
        }
        Ok(material)
    }

    /// The settings without names of files.
    pub(crate) fn options(&self) -> TlsOptions {
        TlsOptions {
            mode: self.mode,
            negotiation: self.negotiation,
            root_cert: matches!(self.root, Root::System).then(|| SYSTEM.into()),
            cert: None,
            cert_mode: CertMode::Allow,
            key: None,
            key_password: None,
            crl: None,
            crl_dir: None,
            sni: self.sni,
            min_protocol: self.min_protocol,
            max_protocol: self.max_protocol,
            default_dir: None,
        }
    }

    /// Makes the context. OpenSSL reads some of it from files only, and so it gets files, in memory that is this process's own.
    pub(crate) fn context(&self) -> Result<Rc<Context>, String> {
        let mut options = self.options();
        let mut files = Vec::new();
        let mut file = |content: &[u8]| {
            let failed = |error: &io::Error| {
                format!("could not create SSL context: {}", system_words(error))
            };
            let file = in_memory(content).map_err(|error| failed(&error))?;
            let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            files.push(file);
            Ok::<PathBuf, String>(path)
        };
        if let Root::File(content) = &self.root {
            options.root_cert = Some(file(content)?);
        }
        if let Some(content) = self.revoked.as_ref().filter(|content| !content.is_empty()) {
            options.crl = Some(file(content)?);
        }
        let mut key = None;
        if let Some(content) = &self.certificate {
            options.cert = Some(file(content)?);
            clear_errors();
            key = Some(
                PKey::private_key_from_pkcs8(&self.key)
                    .map_err(|error| format!("could not load private key: {}", reason(&error)))?,
            );
        }
        Context::new(
            &options,
            Given {
                key,
                check_revocation: self.revoked.is_some(),
            },
        )
    }
}

/// The revocation lists of the file and the directory, if either is there.
fn revoked(options: &TlsOptions) -> Result<Option<Vec<u8>>, String> {
    let file = match &options.crl_dir {
        Some(_) => options.crl.clone(),
        None => path(&options.crl, options, "root.crl"),
    };
    let mut lists = None;
    if let Some(file) = file.filter(|file| found(file).is_some()) {
        lists = Some(content(&file, "certificate revocation list file")?);
    }
    if let Some(dir) = options.crl_dir.as_ref().filter(|dir| found(dir).is_some()) {
        let lists = lists.get_or_insert_default();
        let mut names = Vec::new();
        let read = fs::read_dir(dir).map_err(|error| {
            let (dir, words) = (shown(dir), system_words(&error));
            format!("could not read certificate revocation list directory \"{dir}\": {words}")
        })?;
        for entry in read.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            names.extend(
                name.strip_suffix(".r0")
                    .and_then(|hash| u32::from_str_radix(hash, 16).ok())
                    .filter(|hash| name == format!("{hash:08x}.r0")),
            );
        }
        for hash in names {
            let numbered = (0..).map(|number| dir.join(format!("{hash:08x}.r{number}")));
            for file in numbered.take_while(|file| file.is_file()) {
                let list = content(&file, "certificate revocation list file")?;
                // OpenSSL finds a list by its issuer's hash in the file's name, and by nothing else.
                if issuer(&list) != Some(hash) {
                    continue;
                }
                if lists.len() + list.len() > LIMIT || reserve_exact(lists, list.len() + 1).is_err()
                {
                    return Err("too much in the certificate revocation list directory".into());
                }
                lists.push(b'\n');
                lists.extend_from_slice(&list);
            }
        }
    }
    Ok(lists)
}

/// The hash of the issuer of the first list.
fn issuer(list: &[u8]) -> Option<u32> {
    clear_errors();
    let hash = || {
        let list = X509Crl::from_pem(list).ok()?;
        let mut named = X509::builder().ok()?;
        named.set_subject_name(list.issuer_name()).ok()?;
        Some(named.build().subject_name_hash())
    };
    let hash = hash();
    clear_errors();
    hash
}

/// What a file holds.
fn content(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    let failed = |why: &str| format!("could not read {what} \"{}\": {why}", shown(path));
    let read = || -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut content = Vec::new();
        let room = usize::try_from(length).ok().filter(|room| *room < LIMIT);
        let room = room.ok_or(io::ErrorKind::FileTooLarge)?;
        reserve_exact(&mut content, room + 1).map_err(|_| io::ErrorKind::OutOfMemory)?;
        file.take(length).read_to_end(&mut content)?;
        Ok(content)
    };
    read().map_err(|error| failed(&system_words(&error)))
}

/// A file that has no name and that no other process has.
fn in_memory(content: &[u8]) -> io::Result<File> {
    let plain = MemfdFlags::CLOEXEC;
    let fd = match memfd_create("tls", plain | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3.
        Err(Errno::INVAL) => memfd_create("tls", plain),
        fd => fd,
    }?;
    let mut file = File::from(fd);
    file.write_all(content)?;
    Ok(file)
}
