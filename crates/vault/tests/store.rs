//! The vault does what every store has to do, in memory and on disk; transactions are whole.

use messenger::store::{Space, conformance};
use vault::{Error, Vault, VaultKey};

#[test]
fn a_vault_in_memory_is_a_store() {
    conformance::run(|check| {
        let vault = Vault::in_memory().unwrap();
        vault
            .transaction(|s| {
                check(s);
                Ok::<_, Error>(())
            })
            .unwrap();
    });
}

#[test]
fn a_vault_on_disk_is_a_store() {
    conformance::run(|check| {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::create(dir.path(), &VaultKey::random().unwrap()).unwrap();
        vault
            .transaction(|s| {
                check(s);
                Ok::<_, Error>(())
            })
            .unwrap();
        vault.check().unwrap();
    });
}

fn count(vault: &Vault) -> usize {
    vault.read(|s| Ok::<_, Error>(s.scan(Space::Card, b"")?.len())).unwrap()
}

//= VAULT-006
#[test]
fn an_error_or_a_panic_takes_everything_back() {
    let vault = Vault::in_memory().unwrap();
    vault.transaction(|s| Ok::<_, Error>(s.put(Space::Card, b"kept", b"")?)).unwrap();
    let failed = vault.transaction(|s| {
        s.put(Space::Card, b"lost", b"")?;
        s.remove(Space::Card, b"kept")?;
        Err::<(), _>(Error::BadName)
    });
    assert!(matches!(failed, Err(Error::BadName)));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = vault.transaction::<(), Error>(|s| {
            s.put(Space::Card, b"lost", b"")?;
            panic!("on purpose");
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(count(&vault), 1);
    vault.transaction(|s| Ok::<_, Error>(s.put(Space::Card, b"more", b"")?)).unwrap();
    assert_eq!(count(&vault), 2);
}

#[test]
fn a_read_cannot_write_and_nothing_nests() {
    let vault = Vault::in_memory().unwrap();
    let refused = vault.read(|s| Ok::<_, Error>(s.put(Space::Card, b"k", b"")?));
    assert!(matches!(refused, Err(Error::Store(_))));
    vault
        .transaction(|_| {
            assert!(matches!(vault.transaction(|_| Ok::<_, Error>(())), Err(Error::Nested)));
            assert!(matches!(vault.read(|_| Ok::<_, Error>(())), Err(Error::Nested)));
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(count(&vault), 0);
}
