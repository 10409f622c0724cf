//! What a session does with a shared connection before it uses it, and before others may.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use plproxy_core::shared::{NEVER, Slot};

use crate::connection::Connection;
use crate::connection::shared_facts::SharedFacts;
use crate::connection::shared_part::SharedPart;
use crate::connection::shared_statements::SharedStatements;
use crate::encoding::Encoding;
use crate::options::{CallOptions, SharedOptions};
use crate::shared::place::Place;
use crate::shared::sharing::{Sharing, micros, now};

/// After so long without use a connection is closed if the cluster does not say when: there may be no session left that
/// could do so.
const IDLE: Duration = Duration::from_secs(600);
/// Of a lifetime's share.
const WHOLE: u64 = 1000;

impl Connection {
    /// It becomes one of those that are shared.
    pub(crate) fn joins(&mut self, mut part: SharedPart, sharing: Sharing) {
        if let Some(lease) = &mut part.lease {
            lease.set_terminate(&self.terminate);
            if let Some(slot) = lease.slot() {
                let statements = SharedStatements::new(
                    &slot.statements,
                    sharing.table.secret(),
                    self.state.encoding(),
                );
                self.statements.are_shared(statements);
            }
        }
        self.cancel_key().set_shared();
        self.shared = Some(Box::new(part));
    }

    /// Where it leads, for others.
    pub(crate) fn place(&self) -> Place {
        let key = self.cancel_key();
        let info = key.info();
        Place {
            is_utf8: self.state.encoding() == Encoding::UTF8,
            process_id: self.state.process_id(),
            secret_key: self.state.secret_key(),
            server_version: self.state.server_version().to_owned(),
            address: key.address().clone(),
            host: key.host().clone(),
            share: self.share_of_lifetime(),
            dbname: info.label().to_owned(),
            user: self.endpoint().user(),
            tls: self.protected_by(),
        }
    }

    /// The version of TLS that protects it, if any does.
    fn protected_by(&self) -> Option<String> {
        let socket = self.socket.borrow();
        socket.protection().map(|tls| tls.version().to_owned())
    }

    /// What users of it change.
    pub(crate) fn facts_for_others(&self) -> SharedFacts {
        SharedFacts {
            style: self.state.style().clone(),
            settings: self.settings.clone(),
            backend: self.backend,
        }
    }

    /// Reads what others have changed since. False if that cannot be told.
    pub(crate) fn catches_up(&mut self, slot: &Slot, options: &SharedOptions) -> bool {
        let Some(part) = &mut self.shared else {
            return false;
        };
        part.most = options.most;
        let version = slot.facts.version();
        if version == part.version {
            return true;
        }
        let Some(facts) = SharedFacts::read(&slot.facts.read()) else {
            return false;
        };
        part.version = version;
        part.facts = facts.clone();
        self.state.set_style(facts.style);
        self.settings = facts.settings;
        self.backend = facts.backend;
        true
    }

    /// Whether a statement may be sent on it, and it is not too old.
    pub(crate) fn lives(&mut self, slot: &Slot, lifetime: Option<Duration>) -> bool {
        let Some(part) = &self.shared else {
            return false;
        };
        if now() >= end_of(slot, lifetime, part.share) {
            return false;
        }
        // Nobody else has had it since we gave it back.
        if part.uses.wrapping_add(1) == slot.uses.load(Relaxed) {
            self.seems_alive(Instant::now())
        } else {
            self.is_alive() && self.state.is_idle()
        }
    }

    /// Gives it back, or closes it, if anything is not as it should be. What this process keeps of it, if it stays open.
    pub(crate) fn hand_over(mut self: Box<Self>, options: &CallOptions) -> Option<Box<Self>> {
        let is_whole = self.is_idle()
            && self.read_buffer.is_empty()
            && self.notices.is_empty()
            && self.statements.forgotten().is_empty()
            && !self.cancel_key().is_busy()
            && !self.cancel_key().is_unconfirmed()
            && self.publishes(options)
            && self.socket.borrow_mut().release().is_ok();
        let part = self.shared.as_mut()?;
        let most = part.most;
        let lease = part.lease.take().filter(|_| is_whole)?;
        (lease.give_back(most) && !self.endpoint().closed().get()).then_some(self)
    }

    /// Writes down what others have to know. False if that cannot be.
    fn publishes(&mut self, options: &CallOptions) -> bool {
        // Most often nothing has changed.
        let changed = self.shared.as_ref().is_some_and(|part| {
            part.facts.backend != self.backend
                || part.facts.settings != self.settings
                || part.facts.style != *self.state.style()
        });
        let facts = changed.then(|| self.facts_for_others());
        self.becomes_idle(None, None);
        let Some(part) = &mut self.shared else {
            return false;
        };
        let Some(slot) = part.lease.as_ref().and_then(|lease| lease.slot()) else {
            return false;
        };
        if let Some(facts) = facts {
            let Some(version) = slot.facts.write(&facts.write()) else {
                return false;
            };
            part.version = version;
            part.facts = facts;
        }
        part.uses = slot.uses.load(Relaxed);
        let idle = now().saturating_add(micros(options.idle_timeout.unwrap_or(IDLE)));
        let end = end_of(slot, options.connection_lifetime, part.share);
        slot.due.store(idle.min(end), Relaxed);
        true
    }
}

/// When a connection's lifetime is over.
fn end_of(slot: &Slot, lifetime: Option<Duration>, share: u32) -> u64 {
    lifetime.map_or(NEVER, |lifetime| {
        let own = micros(lifetime).saturating_mul(u64::from(share)) / WHOLE;
        slot.opened.load(Relaxed).saturating_add(own)
    })
}
