//! OpenPGP on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use settings::{ListArgs, On, PatienceArgs};

/// What is done with keys from outside.
#[derive(Debug, Clone, Subcommand)]
pub enum IdentityCommand {
    /// Print the text that you sign, with gpg or with `pgp-sign`, to say to a contact who you are.
    Statement(On<IdentityContactArgs>),
    /// Sign your statement for a contact with an OpenPGP key in a file.
    PgpSign(On<PgpSignArgs>),
    /// Bind a contact to the OpenPGP key that has signed their statement.
    PgpVerify(On<PgpVerifyArgs>),
    /// Make an OpenPGP key, which gpg can import.
    PgpKey(PgpKeyArgs),
    /// List the contacts that are bound to a key.
    List(On<ListArgs>),
    /// Bind a contact to no key any more.
    Forget(On<IdentityForgetArgs>),
}

/// A contact.
#[derive(Debug, Clone, Args)]
pub struct IdentityContactArgs {
    /// The contact.
    pub contact: String,
}

/// Settings of `identity pgp-sign`.
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

/// Settings of `identity pgp-verify`.
#[derive(Debug, Clone, Args)]
pub struct PgpVerifyArgs {
    /// The contact.
    pub contact: String,
    /// The signed statement that they sent, or `-` to read it from stdin.
    #[arg(value_name = "FILE|-")]
    pub signed: PathBuf,
    /// Their public key, from somewhere that you trust.
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Settings of `identity pgp-key`.
#[derive(Debug, Clone, Args)]
pub struct PgpKeyArgs {
    /// The directory for the two files, FINGERPRINT.secret.asc and FINGERPRINT.public.asc.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Whose key it is, as everybody who gets it will read: a name, a pseudonym, `Name <address>`.
    #[arg(long, value_name = "TEXT")]
    pub user_id: String,
    /// Lock it with no passphrase (HUSHWING_PGP_PASSPHRASE, else it is asked for): whoever has the
    /// file can sign.
    #[arg(long)]
    pub no_passphrase: bool,
}

/// Settings of `identity forget`.
#[derive(Debug, Clone, Args)]
pub struct IdentityForgetArgs {
    /// The contact.
    pub contact: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}
