//! Welcomes: how a member comes into a group, for the first time or again.
//!
//! A welcome is written by somebody else, so nothing of it is kept before all of it is checked: the
//! MLS library works on a store that holds its changes back ([`Staged`]).

use openmls::prelude::{GroupId, MlsGroup, MlsMessageBodyIn, StagedWelcome};
use openmls_traits::OpenMlsProvider;

use super::charter::Charter;
use super::group::{Group, Member, join_config};
use super::key_package;
use super::member::MemberSecret;
use super::rules::check_distinct;
use super::storage::Staged;
use super::{KeyValue, MAX_MEMBERS, Mls, SUITE};
use crate::Error;
use crate::id::MemberId;

/// A welcome that was opened and checked. Dropped, it leaves no trace, and its KeyPackage still
/// serves for another welcome.
pub struct Welcomed<'a> {
    kept: Staged<'a>,
    group: Group,
    exists: bool,
    /// Leaf of the member who wrote the welcome.
    sender: u32,
}

impl<'a> Welcomed<'a> {
    /// Opens a welcome made for a KeyPackage of this profile.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the welcome is for somebody else or breaks the rules,
    /// [`Error::Storage`].
    pub fn open(
        mls: &Mls,
        kept: &'a dyn KeyValue,
        welcome: &[u8],
        secret: MemberSecret,
    ) -> Result<Self, Error> {
        let bad = Error::Malformed("welcome");
        let MlsMessageBodyIn::Welcome(welcome) = key_package::read(welcome, "welcome")? else {
            return Err(bad);
        };
        let kept = Staged::over(kept);
        let (mls_group, exists, sender) = {
            let provider = mls.with(&kept);
            let staged = StagedWelcome::build_from_welcome(&provider, &join_config(), welcome)
                .map_err(|_| provider.blame(bad))?
                // Lifetimes are wall-clock times, and a member's clock may be wrong. An invite's
                // own expiry is in document time and was checked before.
                .skip_lifetime_validation()
                // Whether the caller wants that is known later; so far nothing is kept.
                .replace_old_group()
                .build()
                .map_err(|_| provider.blame(bad))?;
            let sender = staged.welcome_sender_index().u32();
            let id: GroupId = staged.group_context().group_id().clone();
            let old = MlsGroup::load(provider.storage(), &id).map_err(|_| Error::Storage)?;
            let exists = old.is_some();
            if let Some(mut old) = old {
                old.delete(provider.storage()).map_err(|_| Error::Storage)?;
            }
            (staged.into_group(&provider).map_err(|_| provider.blame(bad))?, exists, sender)
        };
        let id = mls_group.group_id().to_vec();
        let group = Group { mls: mls_group, secret, id };
        let welcomed = Welcomed { kept, group, exists, sender };
        welcomed.check()?;
        Ok(welcomed)
    }

    /// MLS has checked the signatures. It does not know who may stand in a tree, nor that the
    /// inviter must have added this very member, nor what a direct chat is.
    fn check(&self) -> Result<(), Error> {
        let (members, charter) = (self.members()?, self.charter()?);
        let secret = self.group.secret();
        let known = |m: &Member| {
            m.leaf == self.group.me() && m.id == secret.id() && m.key == secret.public_key()
        };
        let fits = if charter.direct { members.len() == 2 } else { members.len() <= MAX_MEMBERS };
        let sound = self.group.id().len() == 32
            && self.group.mls.ciphersuite() == SUITE
            && members.iter().any(known)
            && members.iter().all(|m| m.card.proves(m.id, &m.key))
            && check_distinct(&members).is_ok()
            && fits;
        if sound { Ok(()) } else { Err(Error::Malformed("welcome")) }
    }

    /// The MLS group id, 32 bytes.
    #[must_use]
    pub fn group_id(&self) -> &[u8] {
        self.group.id()
    }

    /// What its members agree on.
    ///
    /// # Errors
    /// [`Error::Malformed`], which [`Welcomed::open`] excludes.
    pub fn charter(&self) -> Result<Charter, Error> {
        self.group.charter()
    }

    /// Its members, this one included.
    ///
    /// # Errors
    /// [`Error::Malformed`], which [`Welcomed::open`] excludes.
    pub fn members(&self) -> Result<Vec<Member>, Error> {
        self.group.members()
    }

    /// The member who wrote the welcome, and added us.
    #[must_use]
    pub fn sender(&self) -> Option<MemberId> {
        self.members().ok()?.into_iter().find(|m| m.leaf == self.sender).map(|m| m.id)
    }

    /// Joins a group that is new here.
    ///
    /// # Errors
    /// [`Error::Malformed`] when this profile has a group of that id: a welcome from outside never
    /// replaces one. [`Error::Storage`].
    pub fn join(self) -> Result<Group, Error> {
        if self.exists { Err(Error::Malformed("welcome")) } else { self.rejoin() }
    }

    /// Joins, and replaces this profile's older state of the same group. The caller has checked
    /// that the group is the same, and that those who were in it still are who they were.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn rejoin(self) -> Result<Group, Error> {
        self.kept.flush().map_err(|_| Error::Storage)?;
        Ok(self.group)
    }
}

impl std::fmt::Debug for Welcomed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Welcomed")
    }
}
