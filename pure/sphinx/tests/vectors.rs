//! Every case of Katzenpost's Sphinx vectors. They are not part of this project and are read from
//! the directory that `HUSHWING_VECTORS` names, by default `shared/vectors` beside the repository.
//! Trials of absent files are skipped with a line on stderr, but fail where `CI` is set: there a
//! skip would go unnoticed for ever.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use libtest_mimic::{Arguments, Failed, Trial};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::Value;
use sphinx::{
    Command, Error, Geometry, Packet, PathHop, PrivateKey, PublicKey, Rest, Scheme, Surb, SurbKeys,
    Unwrapped, build, peel, replay_tag, unwrap,
};

fn main() {
    let arguments = Arguments::from_args();
    let dir = std::env::var_os("HUSHWING_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors")),
        PathBuf::from,
    );
    let mut trials = vec![
        trial(&dir, "katzenpost/sphinx_vectors.json", |file| cases(file, Some(Scheme::X25519Nike))),
        trial(&dir, "katzenpost/sphinx_commands_vectors.json", commands),
    ];
    let kem = dir.join("katzenpost-kem");
    let mut names: Vec<_> = std::fs::read_dir(&kem)
        .map(|entries| {
            entries
                .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
                .collect()
        })
        .unwrap_or_default();
    names.retain(|name| name.ends_with(".json"));
    names.sort();
    if names.is_empty() {
        // Stands for the directory: ignored if it is absent, failing if it is there and empty.
        names.push(if kem.exists() { "(empty directory)".into() } else { "*.json".into() });
    }
    for name in names {
        trials.push(trial(&dir, &format!("katzenpost-kem/{name}"), |file| cases(file, None)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(dir: &Path, name: &str, run: fn(&Value) -> Result<(), Failed>) -> Trial {
    let path = dir.join(name);
    let absent = !path.exists() && !name.contains("(empty");
    let skipped = absent && std::env::var_os("CI").is_none();
    if skipped {
        eprintln!("SKIPPED {name}: no vectors at {} (set HUSHWING_VECTORS)", path.display());
    }
    Trial::test(name.replace('/', "::"), move || {
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        run(&serde_json::from_str(&text)?)
    })
    .with_ignored_flag(skipped)
}

type Outcome<T = ()> = Result<T, Failed>;

fn check(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(what.into()) }
}

fn hex(value: &Value) -> Outcome<Vec<u8>> {
    Ok(HEX.decode(value.as_str().ok_or("no hex string")?.as_bytes())?)
}

fn array<const N: usize>(value: &Value) -> Outcome<[u8; N]> {
    hex(value)?.try_into().map_err(|_| "wrong length".into())
}

fn list(value: &Value) -> Outcome<&Vec<Value>> {
    value.as_array().ok_or_else(|| "no list".into())
}

fn number(value: &Value) -> Outcome<usize> {
    Ok(usize::try_from(value.as_u64().ok_or("no number")?)?)
}

fn ok<T>(result: Result<T, Error>) -> Outcome<T> {
    result.map_err(|e| e.to_string().into())
}

//= SPHINX-002
fn commands(file: &Value) -> Outcome {
    let (id, mac) = (array(&file["NextHopID"])?, array(&file["NextHopMAC"])?);
    let delay = u32::try_from(number(&file["NodeDelay"])?)?;
    for (command, want) in [
        (Command::NextHop { id, mac }, "NextHopCmdWant"),
        (Command::Recipient(array(&file["RecipientID"])?), "RecipientCmdWant"),
        (Command::SurbReply(array(&file["SURBReplyID"])?), "SURBReplyCmdWant"),
        (Command::Delay(delay), "NodeDelayCmdWant"),
    ] {
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        check(bytes == hex(&file[want])?, want)?;
        check(ok(Command::parse_all(&bytes))? == [command], want)?;
    }
    Ok(())
}

//= SPHINX-001
//= SPHINX-004
//= SPHINX-005
//= SPHINX-006
//= SPHINX-007
//= SPHINX-009
fn cases(file: &Value, scheme: Option<Scheme>) -> Outcome {
    let all = list(file)?;
    check(!all.is_empty(), "a file without cases")?;
    for (i, case) in all.iter().enumerate() {
        run_case(case, scheme)
            .map_err(|e| format!("case {i}: {}", e.message().unwrap_or("failed")))?;
    }
    Ok(())
}

struct Case {
    geometry: Geometry,
    keys: Vec<PrivateKey>,
    path: Vec<PathHop>,
    packets: Vec<Vec<u8>>,
    payload: Vec<u8>,
    surb: Vec<u8>,
    surb_keys: Vec<u8>,
}

fn run_case(value: &Value, scheme: Option<Scheme>) -> Outcome {
    let case = read(value, scheme)?;
    walk(&case, value)?;
    replay_by_surb(&case)?;
    our_own(&case)
}

fn read(value: &Value, scheme: Option<Scheme>) -> Outcome<Case> {
    let payload = hex(&value["Payload"])?;
    let (scheme, hops, len) = match scheme {
        // The oldest vectors name no geometry: five hops, and the payload is the whole forward
        // payload.
        Some(scheme) => (scheme, 5, payload.len()),
        None => {
            let scheme = match value["KEMName"].as_str() {
                Some(name) if name.eq_ignore_ascii_case("xwing") => Scheme::XWing,
                Some(name) if name.eq_ignore_ascii_case("x25519") => Scheme::X25519Kem,
                other => return Err(format!("unknown KEM {other:?}").into()),
            };
            let stated = &value["Geometry"];
            (scheme, number(&stated["NrHops"])?, number(&stated["ForwardPayloadLength"])?)
        }
    };
    let geometry = ok(Geometry::new(scheme, hops, len))?;
    if let Some(stated) = value["Geometry"].as_object() {
        for (name, ours) in [
            ("PacketLength", geometry.packet_len()),
            ("HeaderLength", geometry.header_len()),
            ("RoutingInfoLength", geometry.routing_info_len()),
            ("PerHopRoutingInfoLength", geometry.slot_len()),
            ("SURBLength", geometry.surb_len()),
        ] {
            check(number(stated.get(name).ok_or("no length")?)? == ours, name)?;
        }
    }
    let keys = list(&value["Nodes"])?
        .iter()
        .map(|node| ok(PrivateKey::from_bytes(scheme, &hex(&node["PrivateKey"])?)))
        .collect::<Outcome<Vec<_>>>()?;
    let path = list(&value["Path"])?
        .iter()
        .map(|hop| read_hop(scheme, hop))
        .collect::<Outcome<Vec<_>>>()?;
    check(!path.is_empty() && path.len() == keys.len(), "path and nodes differ")?;
    for (hop, key) in path.iter().zip(&keys) {
        check(hop.key == *key.public(), "public key does not belong to the private key")?;
    }
    let packets = list(&value["Packets"])?.iter().map(hex).collect::<Outcome<Vec<_>>>()?;
    check(packets.len() >= keys.len(), "too few packets")?;
    let (surb, surb_keys) = (hex(&value["Surb"])?, hex(&value["SurbKeys"])?);
    Ok(Case { geometry, keys, path, packets, payload, surb, surb_keys })
}

fn read_hop(scheme: Scheme, hop: &Value) -> Outcome<PathHop> {
    let mut commands = Vec::new();
    for command in list(&hop["Commands"])? {
        commands.append(&mut ok(Command::parse_all(&hex(command)?))?);
    }
    let key = ok(PublicKey::from_bytes(scheme, &hex(&hop["PublicKey"])?))?;
    Ok(PathHop { id: array(&hop["ID"])?, key, commands })
}

/// Unwraps the given packet at each hop and compares everything that the file states.
fn walk(case: &Case, value: &Value) -> Outcome {
    let g = &case.geometry;
    let last = case.keys.len() - 1;
    for (i, key) in case.keys.iter().enumerate() {
        let packet = ok(Packet::from_bytes(g, case.packets[i].clone()))?;
        let tag = ok(replay_tag(g, &packet))?;
        let peeled = ok(peel(g, key, packet.clone()))?;
        check(peeled.tag == tag, "replay tags differ before and after")?;
        if let Some(stated) = value["ReplayTags"].as_array() {
            check(hex(&stated[i])? == tag, "replay tag")?;
        }
        if let Some(stated) = value["UnwrapCmds"].as_array() {
            let mut ours = Vec::new();
            peeled.commands.iter().for_each(|c| c.encode(&mut ours));
            let stated = list(&stated[i])?.iter().map(hex).collect::<Outcome<Vec<_>>>()?.concat();
            check(ours == stated, "commands")?;
        }
        check(peeled.commands.starts_with(&case.path[i].commands), "path commands")?;
        match (peeled.rest, ok(unwrap(g, key, packet))?) {
            (Rest::Packet(ours), Unwrapped::Forward { next, packet, .. }) if i < last => {
                check(
                    ours.as_bytes() == case.packets[i + 1] && ours == packet,
                    "packet for the next hop",
                )?;
                check(next == case.path[i + 1].id, "next hop")?;
            }
            (_, Unwrapped::Deliver { payload, .. }) if i == last && case.surb.is_empty() => {
                check(payload == case.payload, "payload")?;
            }
            (Rest::Payload(body), Unwrapped::Reply { payload, .. })
                if i == last && !case.surb.is_empty() =>
            {
                check(body == payload, "reply bodies differ")?;
                let keys = ok(SurbKeys::from_bytes(g, &case.surb_keys))?;
                check(keys.to_bytes()[..] == case.surb_keys, "SURB keys")?;
                check(ok(keys.open(g, payload))? == case.payload, "reply")?;
            }
            (_, other) => return Err(format!("hop {i}: unexpected {other:?}").into()),
        }
    }
    Ok(())
}

/// The given SURB makes the given packet again.
fn replay_by_surb(case: &Case) -> Outcome {
    if case.surb.is_empty() {
        return Ok(());
    }
    let surb = ok(Surb::from_bytes(&case.geometry, &case.surb))?;
    check(surb.first_hop() == case.path[0].id, "first hop")?;
    let (packet, _) = ok(surb.reply(&case.geometry, &case.payload))?;
    check(packet.as_bytes() == case.packets[0], "packet made from the SURB")
}

/// A packet and a SURB of our own making for the same path, unwrapped by the same nodes.
fn our_own(case: &Case) -> Outcome {
    let g = &case.geometry;
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut path = case.path.clone();
    let end = path.last_mut().ok_or("no path")?;
    end.commands.retain(|c| !matches!(c, Command::SurbReply(_)));

    let body = carry(case, ok(build(g, &path, &case.payload, &mut rng))?)?;
    check(
        matches!(body, Unwrapped::Deliver { payload, .. } if payload == case.payload),
        "our packet",
    )?;

    let (surb, keys) = ok(Surb::create(g, &path, [5; 16], &mut rng))?;
    let (packet, first) = ok(surb.reply(g, &case.payload))?;
    check(first == path[0].id, "our SURB's first hop")?;
    let Unwrapped::Reply { surb_id, payload, .. } = carry(case, packet)? else {
        return Err("no reply".into());
    };
    check(surb_id == [5; 16], "our SURB's id")?;
    check(ok(keys.open(g, payload))? == case.payload, "our reply")
}

fn carry(case: &Case, mut packet: Packet) -> Outcome<Unwrapped> {
    for key in &case.keys {
        match ok(unwrap(&case.geometry, key, packet))? {
            Unwrapped::Forward { packet: next, .. } => packet = next,
            done => return Ok(done),
        }
    }
    Err("not delivered".into())
}
