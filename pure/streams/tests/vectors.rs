//! Katzenpost's vectors, from the directory that `HUSHWING_VECTORS` names (by default
//! `shared/vectors` beside the repository), and the project's own. Runs every case of every file; a
//! file that cannot be used is a failure. If the directory is absent, its trial is skipped with a
//! line on stderr, but fails where `CI` is set: there a skip would go unnoticed for ever.

#![allow(clippy::disallowed_methods, reason = "a test harness reads its vector files")]

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use streams::{BoxId, Index, ReadCapability, SealedBox, WriteCapability};

fn main() {
    let args = Arguments::from_args();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/own_vectors.json");
    if std::env::var_os("HUSHWING_WRITE_VECTORS").is_some() {
        std::fs::write(&own, own_vectors()).expect("own vectors written");
    }
    let mut trials = vec![Trial::test("own_vectors", move || run_file(&own, true))];
    let directory = std::env::var_os("HUSHWING_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let bacap = directory.join("bacap");
    match std::fs::read_dir(&bacap) {
        Err(_) => {
            let missing = format!("no vectors at {} (set HUSHWING_VECTORS)", bacap.display());
            let skipped = std::env::var_os("CI").is_none();
            if skipped {
                eprintln!("SKIPPED bacap vectors: {missing}");
            }
            let trial = Trial::test("bacap_vectors", || Err(missing.into()));
            trials.push(trial.with_ignored_flag(skipped));
        }
        Ok(entries) => {
            let files: Vec<PathBuf> = entries
                .filter_map(|e| Some(e.ok()?.path()))
                .filter(|p| p.extension().is_some_and(|e| e == "json"))
                .collect();
            let found = files.len();
            trials.push(Trial::test("bacap_directory_has_files", move || {
                if found == 0 { Err("no *.json in bacap/".into()) } else { Ok(()) }
            }));
            for file in files {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                trials.push(Trial::test(format!("bacap::{name}"), move || run_file(&file, false)));
            }
        }
    }
    libtest_mimic::run(&args, trials).exit();
}

/// The project's own vectors, which show when the format changes. Rewritten only by hand, with
/// `HUSHWING_WRITE_VECTORS=1`.
fn own_vectors() -> String {
    let lower = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let vectors: Vec<Value> = [[1u8; 32], [2; 32]]
        .iter()
        .map(|seed| {
            let first = WriteCapability::from_seed(seed);
            let mut writer = first.clone();
            let mut boxes = Vec::new();
            for len in [0usize, 1, 100] {
                let context = lower(b"hushwing vectors");
                let body = vec![7; len];
                let made = writer.seal(b"hushwing vectors", &body).expect("sealed");
                boxes.push(serde_json::json!({
                    "index": lower(writer.index().to_bytes().as_ref()), "ctx": context, "plaintext": lower(&body),
                    "box_id": lower(made.id().as_bytes()), "ciphertext": lower(made.ciphertext()),
                    "signature": lower(made.signature()),
                }));
                writer = writer.next().expect("not the end");
            }
            serde_json::json!({
                "seed": lower(seed), "write_cap": lower(&first.to_bytes()), "read_cap": lower(&first.read_capability().to_bytes()), "boxes": boxes,
            })
        })
        .collect();
    serde_json::to_string_pretty(&serde_json::json!({ "vectors": vectors })).expect("plain JSON")
}

fn hex(value: &Value) -> Result<Vec<u8>, Failed> {
    let text = value.as_str().ok_or("a field is missing or no text")?;
    Ok(HEXLOWER_PERMISSIVE.decode(text.as_bytes())?)
}

fn array<const N: usize>(value: &Value) -> Result<[u8; N], Failed> {
    hex(value)?.try_into().map_err(|_| "a field has the wrong length".into())
}

//= BOX-001
//= BOX-003
//= BOX-004
//= BOX-010
fn run_file(file: &Path, own: bool) -> Result<(), Failed> {
    let json: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let vectors = json["vectors"].as_array().ok_or("no list of vectors")?;
    if vectors.is_empty() {
        return Err("no case in the file".into());
    }
    for (n, vector) in vectors.iter().enumerate() {
        run_case(vector, own)
            .map_err(|e| format!("case {n}: {}", e.message().unwrap_or("failed")))?;
    }
    Ok(())
}

/// Nonces are each implementation's own affair, so only our own signatures are compared byte for
/// byte.
fn run_case(vector: &Value, own: bool) -> Result<(), Failed> {
    let first = WriteCapability::from_bytes(&hex(&vector["write_cap"])?)?;
    let first_read = ReadCapability::from_bytes(&hex(&vector["read_cap"])?)?;
    ensure(first.to_bytes().as_slice() == hex(&vector["write_cap"])?, "write capability bytes")?;
    ensure(
        first.read_capability().to_bytes() == first_read.to_bytes(),
        "read capability of the write capability",
    )?;
    if own {
        let derived = WriteCapability::from_seed(&array(&vector["seed"])?);
        ensure(derived.to_bytes() == first.to_bytes(), "stream of the seed")?;
    }
    let boxes = vector["boxes"].as_array().ok_or("no list of boxes")?;
    ensure(!boxes.is_empty(), "a case has boxes")?;
    for (n, one) in boxes.iter().enumerate() {
        let context = hex(&one["ctx"])?;
        let plaintext = hex(&one["plaintext"])?;
        let id = BoxId::new(array(&one["box_id"])?);
        let ciphertext = hex(&one["ciphertext"])?;
        let at = Index::from_kept(&array(&one["index"])?).counter();
        let read = first_read.advance_to(at)?;
        let write = first.advance_to(at)?;
        ensure(
            read.index().to_bytes().as_slice() == hex(&one["index"])?,
            &format!("box {n}: index"),
        )?;
        ensure(read.box_id(&context) == id, &format!("box {n}: id"))?;
        let theirs =
            SealedBox { id, ciphertext: ciphertext.clone(), signature: array(&one["signature"])? };
        let verified = theirs.verify()?;
        ensure(
            read.open(&context, &verified)?.as_slice() == plaintext,
            &format!("box {n}: plaintext"),
        )?;
        let ours = write.seal(&context, &plaintext)?;
        ensure(ours.id() == id && ours.ciphertext() == ciphertext, &format!("box {n}: sealing"))?;
        let signature = *ours.signature();
        ours.into_sealed().verify()?;
        if own {
            ensure(signature == array(&one["signature"])?, &format!("box {n}: signature"))?;
        }
    }
    Ok(())
}

fn ensure(good: bool, what: &str) -> Result<(), Failed> {
    if good { Ok(()) } else { Err(what.into()) }
}
