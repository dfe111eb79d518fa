//! `identity …`: contacts and OpenPGP keys.

use std::io::{Read, Write};
use std::path::Path;

use serde::Serialize;
use settings::{CreatePolicy, ProfileArgs, passphrase};
use wire::ErrorKind;
use zeroize::Zeroizing;

use super::here::{Here, with};
use super::show::{json, note, out};
use crate::cli::args_profile::{
    IdentityCommand, IdentityContactArgs, IdentityForgetArgs, PgpKeyArgs, PgpSignArgs,
    PgpVerifyArgs,
};
use crate::engine::profile::identity::{self, MAX_KEY, MAX_SIGNED};
use crate::engine::profile::{Command, Reply};
use crate::exit::Failure;

pub async fn run(command: IdentityCommand) -> Result<(), Failure> {
    match command {
        IdentityCommand::Statement(on) => print_statement(&on.at, on.args).await,
        IdentityCommand::PgpSign(on) => sign(&on.at, on.args).await,
        IdentityCommand::PgpVerify(on) => verify(&on.at, on.args).await,
        IdentityCommand::PgpKey(args) => make_key(&args),
        IdentityCommand::List(on) => list(&on.at, on.args.json).await,
        IdentityCommand::Forget(on) => forget(&on.at, on.args).await,
    }
}

async fn statement(here: &mut Here, contact: String) -> Result<String, Failure> {
    match here.ask(Command::IdentityStatement { conversation: contact }).await? {
        Reply::Statement { statement } => Ok(statement),
        _ => Err(Failure::new(
            ErrorKind::Bug,
            "the engine gave an answer to something else",
            "please report this",
        )),
    }
}

async fn print_statement(at: &ProfileArgs, args: IdentityContactArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| out(&statement(here, args.contact).await?)).await
}

async fn sign(at: &ProfileArgs, args: PgpSignArgs) -> Result<(), Failure> {
    let secret = Zeroizing::new(file(&args.key, MAX_KEY)?);
    if let Some(file) = &args.out {
        is_free(file)?;
    }
    let text =
        with(at, CreatePolicy::Never, async |here| statement(here, args.contact).await).await?;
    let signed = identity::sign(&text, &secret, || ask_passphrase(false))?;
    match &args.out {
        Some(file) => write_new(file, signed.as_bytes()),
        None => out(signed.trim_end()),
    }
}

async fn verify(at: &ProfileArgs, args: PgpVerifyArgs) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Bound<'a> {
        contact: &'a str,
        fingerprint: &'a str,
        user_ids: &'a [String],
    }
    let signed = if args.signed == Path::new("-") {
        read_all(std::io::stdin().lock(), "stdin", MAX_SIGNED)?
    } else {
        file(&args.signed, MAX_SIGNED)?
    };
    let signed = String::from_utf8(signed).map_err(|_| {
        let hint =
            "a clear-signed text, as `hushwing identity pgp-sign` and `gpg --clearsign` write it";
        Failure::new(ErrorKind::LocalConfig, "the signed statement is no text", hint)
    })?;
    let certificate = identity::armoured(&file(&args.cert, MAX_KEY)?)?;
    with(at, CreatePolicy::Never, async |here| {
        let command =
            Command::IdentityVerify { conversation: args.contact.clone(), signed, certificate };
        let Reply::Identity { fingerprint, user_ids } = here.ask(command).await? else {
            return Ok(());
        };
        if args.json {
            json(&Bound {
                contact: &args.contact,
                fingerprint: &fingerprint,
                user_ids: &user_ids,
            })?;
        } else {
            out(&fingerprint)?;
        }
        note(&format!("{} is bound to this OpenPGP key now", args.contact));
        for id in &user_ids {
            note(&format!("its holder says: {id}"));
        }
        here.settled(&[], args.patience.timeout).await
    })
    .await
}

fn make_key(args: &PgpKeyArgs) -> Result<(), Failure> {
    let passphrase = if args.no_passphrase { None } else { Some(ask_passphrase(true)?) };
    let key = identity::generate(&args.user_id, passphrase.as_ref().map(|p| p.as_str()))?;
    let refused = |e: std::io::Error| cannot_write(&args.out, &e);
    std::fs::create_dir_all(&args.out).map_err(refused)?;
    let secret = args.out.join(format!("{}.secret.asc", key.fingerprint));
    let public = args.out.join(format!("{}.public.asc", key.fingerprint));
    write_new(&secret, key.secret.as_bytes())?;
    write_new(&public, key.public.as_bytes())?;
    out(&key.fingerprint)?;
    note(&format!("secret key, for you alone: {}", secret.display()));
    note(&format!("public key, for your contacts: {}", public.display()));
    Ok(())
}

async fn list(at: &ProfileArgs, as_json: bool) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Bound<'a> {
        contact: &'a str,
        fingerprint: &'a str,
        verified: bool,
    }
    with(at, CreatePolicy::Never, async |here| {
        for one in &here.conversations().await? {
            let Some(fingerprint) = &one.pgp else { continue };
            if as_json {
                json(&Bound { contact: &one.name, fingerprint, verified: one.verified })?;
            } else {
                out(&format!("{}  pgp:{fingerprint}", one.name))?;
            }
        }
        Ok(())
    })
    .await
}

async fn forget(at: &ProfileArgs, args: IdentityForgetArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        here.do_it(Command::IdentityForget { conversation: args.contact }).await?;
        here.settled(&[], args.patience.timeout).await
    })
    .await
}

/// All of a file, up to so many bytes.
fn file(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let name = path.display().to_string();
    let open = std::fs::File::open(path).map_err(|e| cannot_read(&name, &e))?;
    read_all(open, &name, limit)
}

fn read_all(from: impl Read, name: &str, limit: usize) -> Result<Vec<u8>, Failure> {
    // A little more than the limit, so that what is longer is refused by whoever reads it.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes).map_err(|e| cannot_read(name, &e))?;
    Ok(bytes)
}

fn cannot_read(name: &str, error: &std::io::Error) -> Failure {
    Failure::new(
        ErrorKind::LocalConfig,
        format!("{name} cannot be read: {error}"),
        "name a file that you can read",
    )
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    let text = format!("cannot write {}: {error}", path.display());
    Failure::new(ErrorKind::LocalStorage, text, "name a file in a directory that you can write to")
}

fn is_free(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) => Err(taken(path)),
        Err(_) => Ok(()),
    }
}

fn taken(path: &Path) -> Failure {
    Failure::new(
        ErrorKind::LocalConfig,
        format!("{} is there already", path.display()),
        "choose another file",
    )
}

/// A new file that only this user can read; whole or not at all.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let refused = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => taken(path),
        _ => cannot_write(path, &e),
    };
    let directory = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(directory).map_err(refused)?;
    part.write_all(bytes).and_then(|()| part.as_file().sync_all()).map_err(refused)?;
    part.persist_noclobber(path).map_err(|e| refused(e.error))?;
    Ok(())
}

/// The passphrase of an OpenPGP key; asked twice when it is a new one.
fn ask_passphrase(new: bool) -> Result<Zeroizing<String>, Failure> {
    passphrase::ask(passphrase::PGP_VAR, "passphrase of the OpenPGP key", new)
}
