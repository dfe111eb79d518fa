//! `identity …`: contacts and OpenPGP keys.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use api::{ConversationId, Failure, ForgetIdentity, GetIdentityStatement, Scope, VerifyIdentity};
use clap::{Args, Subcommand};
use openpgp::{MAX_KEY, MAX_SIGNED};
use serde::Serialize;
use settings::passphrase::{PGP_VAR, ask};
use settings::{ListArgs, On, PatienceArgs, ProfileArgs};
use text::{json, note, out};
use wire::ErrorKind;
use zeroize::Zeroizing;

use crate::session::{ProfileSession, SharedProfiles, existing, with};

/// Commands about OpenPGP keys.
#[derive(Debug, Clone, Subcommand)]
pub enum IdentityCommand {
    /// Print the statement to sign (with gpg or `pgp-sign`) to prove to a contact who you are.
    Statement(On<IdentityContactArgs>),
    /// Sign your statement for a contact with an OpenPGP key in a file.
    PgpSign(On<PgpSignArgs>),
    /// Link a contact to the OpenPGP key that has signed their statement.
    PgpVerify(On<PgpVerifyArgs>),
    /// Create an OpenPGP key, which gpg can import.
    PgpKey(PgpKeyArgs),
    /// List the contacts that are linked to a key.
    List(On<ListArgs>),
    /// Unlink a contact from their OpenPGP key.
    Forget(On<IdentityForgetArgs>),
}

/// A contact.
#[derive(Debug, Clone, Args)]
pub struct IdentityContactArgs {
    /// The contact.
    pub contact: String,
}

/// Arguments of `identity pgp-sign`.
#[derive(Debug, Clone, Args)]
pub struct PgpSignArgs {
    /// The contact.
    pub contact: String,
    /// Your secret key. Its passphrase comes from HUSHWING_PGP_PASSPHRASE, else it is asked for.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Write the signed statement to this new file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Arguments of `identity pgp-verify`.
#[derive(Debug, Clone, Args)]
pub struct PgpVerifyArgs {
    /// The contact.
    pub contact: String,
    /// The signed statement that they sent, or `-` to read it from stdin.
    #[arg(value_name = "FILE|-")]
    pub signed: PathBuf,
    /// Their public key, from a source that you trust.
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Arguments of `identity pgp-key`.
#[derive(Debug, Clone, Args)]
pub struct PgpKeyArgs {
    /// Directory for the two files, FINGERPRINT.secret.asc and FINGERPRINT.public.asc.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// User id, visible to everyone who gets the key: a name, a pseudonym or `Name <address>`.
    #[arg(long, value_name = "TEXT")]
    pub user_id: String,
    /// Do not protect the key with a passphrase: anyone who has the file can sign. The passphrase
    /// comes from HUSHWING_PGP_PASSPHRASE, else it is asked for.
    #[arg(long)]
    pub no_passphrase: bool,
}

/// Arguments of `identity forget`.
#[derive(Debug, Clone, Args)]
pub struct IdentityForgetArgs {
    /// The contact.
    pub contact: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// A contact that is linked to a key, in JSON.
#[derive(Serialize)]
struct Linked<'a> {
    conversation: ConversationId,
    label: &'a str,
    fingerprint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_ids: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
}

pub(crate) async fn run(
    profiles: &SharedProfiles,
    command: IdentityCommand,
) -> Result<(), Failure> {
    match command {
        IdentityCommand::Statement(on) => print_statement(profiles, &on.at, on.args).await,
        IdentityCommand::PgpSign(on) => sign(profiles, &on.at, on.args).await,
        IdentityCommand::PgpVerify(on) => verify(profiles, &on.at, on.args).await,
        IdentityCommand::PgpKey(args) => make_key(&args),
        IdentityCommand::List(on) => list(profiles, &on.at, on.args).await,
        IdentityCommand::Forget(on) => forget(profiles, &on.at, on.args).await,
    }
}

async fn statement(session: &mut ProfileSession, contact: &str) -> Result<String, Failure> {
    let conversation = session.conversation(contact, Scope::Contact).await?.id;
    Ok(session.ask(GetIdentityStatement { conversation }).await?.statement)
}

async fn print_statement(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: IdentityContactArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| out(&statement(session, &args.contact).await?))
        .await
}

fn ask_passphrase(new: bool) -> Result<Zeroizing<String>, Failure> {
    ask(PGP_VAR, "passphrase of the OpenPGP key", new)
}

async fn sign(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: PgpSignArgs,
) -> Result<(), Failure> {
    let secret = Zeroizing::new(file(&args.key, MAX_KEY)?);
    if let Some(file) = &args.out {
        is_free(file)?;
    }
    let text =
        with(profiles, &existing(at), async |session| statement(session, &args.contact).await)
            .await?;
    let passphrase =
        || ask_passphrase(false).map_err(|f| openpgp::Error::NoPassphrase(f.to_string()));
    let signed = openpgp::sign(&text, &secret, passphrase).map_err(refused)?;
    match &args.out {
        Some(file) => write_new(file, signed.as_bytes()),
        None => out(signed.trim_end()),
    }
}

async fn verify(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: PgpVerifyArgs,
) -> Result<(), Failure> {
    let signed = if args.signed == Path::new("-") {
        read_all(std::io::stdin().lock(), "stdin", MAX_SIGNED)?
    } else {
        file(&args.signed, MAX_SIGNED)?
    };
    let signed = String::from_utf8(signed).map_err(|_| {
        let hint = "use a clear-signed text from `hushwing identity pgp-sign` or `gpg --clearsign`";
        Failure::new(ErrorKind::LocalConfig, "the signed statement is not text", hint)
    })?;
    let certificate = openpgp::armoured(&file(&args.cert, MAX_KEY)?).map_err(refused)?;
    with(profiles, &existing(at), async |session| {
        let contact = session.conversation(&args.contact, Scope::Contact).await?;
        let request = VerifyIdentity { conversation: contact.id, signed, certificate };
        let key = session.ask(request).await?;
        if args.json {
            json(&Linked {
                conversation: contact.id,
                label: &contact.label,
                fingerprint: &key.fingerprint,
                user_ids: Some(&key.user_ids),
                verified: None,
            })?;
        } else {
            out(&key.fingerprint)?;
        }
        note(&format!("{} is now linked to this OpenPGP key", contact.label));
        for id in &key.user_ids {
            note(&format!("user id: {id}"));
        }
        session.settled(&[], args.patience.timeout).await
    })
    .await
}

fn make_key(args: &PgpKeyArgs) -> Result<(), Failure> {
    let passphrase = if args.no_passphrase { None } else { Some(ask_passphrase(true)?) };
    let passphrase = passphrase.as_ref().map(|p| p.as_str());
    let key = openpgp::generate(&args.user_id, passphrase).map_err(refused)?;
    std::fs::create_dir_all(&args.out).map_err(|e| cannot_write(&args.out, &e))?;
    let secret = args.out.join(format!("{}.secret.asc", key.fingerprint));
    let public = args.out.join(format!("{}.public.asc", key.fingerprint));
    write_new(&secret, key.secret.as_bytes())?;
    write_new(&public, key.public.as_bytes())?;
    out(&key.fingerprint)?;
    note(&format!("secret key, keep it private: {}", secret.display()));
    note(&format!("public key, for your contacts: {}", public.display()));
    Ok(())
}

async fn list(profiles: &SharedProfiles, at: &ProfileArgs, args: ListArgs) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        for one in &session.conversations().await? {
            let Some(fingerprint) = &one.pgp else { continue };
            if args.json {
                json(&Linked {
                    conversation: one.id,
                    label: &one.label,
                    fingerprint,
                    user_ids: None,
                    verified: Some(one.verified),
                })?;
            } else {
                out(&format!("{}  pgp:{fingerprint}", one.label))?;
            }
        }
        Ok(())
    })
    .await
}

async fn forget(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: IdentityForgetArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let conversation = session.conversation(&args.contact, Scope::Contact).await?.id;
        session.ask(ForgetIdentity { conversation }).await?;
        session.settled(&[], args.patience.timeout).await
    })
    .await
}

/// What OpenPGP refuses, with what to do about it.
#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
fn refused(error: openpgp::Error) -> Failure {
    use openpgp::Error;
    let hint = match error {
        Error::NotBuilt => {
            "build it with --features pgp; or sign what `hushwing identity statement` prints with gpg"
        }
        Error::Clock => "set the clock of this machine",
        Error::BadKey(_) => {
            "use a file with one key, from `gpg --armor --export FINGERPRINT` or `hushwing identity pgp-key`"
        }
        Error::SecretKey => {
            "keep it private; others need what `gpg --armor --export FINGERPRINT` prints"
        }
        Error::Unusable(_) => "ask for the key as it is now: gpg --armor --export FINGERPRINT",
        Error::BadSecretKey(_) | Error::WrongPassphrase => {
            "use a file from `hushwing identity pgp-key` or `gpg --armor --export-secret-keys FINGERPRINT`; if gpg keeps the key: hushwing identity statement NAME | gpg --clearsign"
        }
        Error::NoPassphrase(_) => "use a terminal, or set HUSHWING_PGP_PASSPHRASE",
        Error::BadUserId => {
            "use --user-id 'Bob' or 'Bob <bob@example.org>'; everyone who gets the key sees it"
        }
        Error::Bug(_) => "report this bug",
        _ => "ask for it again, and do not trust this one",
    };
    let kind = error.kind();
    Failure::new(kind, error, hint)
}

/// All of a file, up to so many bytes.
fn file(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let name = path.display().to_string();
    let open = std::fs::File::open(path).map_err(|e| cannot_read(&name, &e))?;
    read_all(open, &name, limit)
}

fn read_all(from: impl Read, name: &str, limit: usize) -> Result<Vec<u8>, Failure> {
    // A little more than the limit, so that what is longer is refused by what reads it.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes).map_err(|e| cannot_read(name, &e))?;
    Ok(bytes)
}

fn cannot_read(name: &str, error: &std::io::Error) -> Failure {
    let text = format!("cannot read {name}: {error}");
    Failure::new(ErrorKind::LocalConfig, text, "choose a file that you can read")
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    let text = format!("cannot write {}: {error}", path.display());
    Failure::new(ErrorKind::LocalStorage, text, "choose a directory you can write to")
}

fn is_free(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() { Err(taken(path)) } else { Ok(()) }
}

fn taken(path: &Path) -> Failure {
    let text = format!("{} already exists", path.display());
    Failure::new(ErrorKind::LocalConfig, text, "choose another file")
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
