//! Every lie that one authority of three can tell: none of them changes a document.

use std::collections::BTreeSet;

use wire::document::*;
use wire::id::{DocumentHash, VoteHash};

use super::world::{EPOCH_MS, World, descriptor, key, node_id, parameters};
use super::*;
use crate::directory::authority::{proposal_message, vote_hash, vote_message};
use crate::directory::{sign_descriptor, sign_document};

const LIAR: usize = 2;
const HONEST: [usize; 2] = [0, 1];

/// Two honest authorities that agree on three nodes, and a liar with links to both.
fn world(seed: u64) -> World {
    let mut world = World::new(seed, 3, 2);
    world.lie_through(LIAR);
    world.sees(&HONEST, &[1, 2, 3]);
    world.run(SOON);
    assert_eq!(world.lists(0), [1, 2, 3]);
    world
}

fn honest_vote(world: &mut World, nodes: &[u8]) -> Vote {
    let epoch = world.epoch();
    Vote {
        version: VERSION,
        network: network_id(&world.set),
        epoch,
        made: world.real(LIAR),
        parameters: parameters(),
        nodes: world.descriptors(&nodes.iter().copied().collect(), epoch),
        dials_only: Vec::new(),
        addresses: Vec::new(),
    }
}

fn signed_by(n: usize, named: usize, world: &World, vote: &Vote) -> Frame {
    let vote = wire::encode(vote);
    let message = vote_message(&network_id(&world.set), &vote);
    let signature = key(n).sign(u8::try_from(named).unwrap(), &message).unwrap();
    Frame::Vote(wire::encode(&SignedVote { vote, signature }))
}

fn proposal(world: &World, proposal: &Proposal) -> Frame {
    let bytes = wire::encode(proposal);
    let message = proposal_message(&network_id(&world.set), &bytes);
    let signature = key(LIAR).sign(2, &message).unwrap();
    Frame::Proposal(wire::encode(&SignedProposal { proposal: bytes, signature }))
}

/// The newest vote of an honest authority for this epoch, as the liar got it.
fn vote_of(world: &World, n: usize) -> ProposedVote {
    let mut votes = world.overheard.iter().filter_map(|(from, _, frame)| match frame {
        Frame::Vote(bytes) if *from == n => {
            let signed: SignedVote = wire::decode(bytes, "vote").unwrap();
            let vote: Vote = wire::decode(&signed.vote, "vote").unwrap();
            (vote.epoch == world.epoch())
                .then(|| vote_hash(signed.signature.authority, &signed.vote))
        }
        _ => None,
    });
    let authority = u8::try_from(n).unwrap();
    ProposedVote { authority, vote: votes.next_back().expect("it voted") }
}

/// The next revision that the liar leads.
fn turn(world: &World) -> u32 {
    let agreed = world.current(0).filter(|d| d.epoch == world.epoch()).map(|d| d.revision);
    (agreed.map_or(0, |r| r + 1)..)
        .find(|r| (world.epoch() + u64::from(*r)) % 3 == LIAR as u64)
        .unwrap()
}

fn honest_proposal(world: &World) -> Proposal {
    Proposal {
        version: VERSION,
        network: network_id(&world.set),
        epoch: world.epoch(),
        revision: turn(world),
        published: world.real(LIAR),
        votes: HONEST.iter().map(|n| vote_of(world, *n)).collect(),
    }
}

fn tells_both(world: &mut World, frame: &Frame) {
    HONEST.iter().for_each(|to| world.says(LIAR, *to, frame.clone()));
}

/// What the honest have signed for the liar.
fn signatures(world: &World) -> Vec<(u64, u32, DocumentHash)> {
    let signed = world.overheard.iter().filter_map(|(_, _, frame)| match frame {
        Frame::Cosignature(bytes) => {
            let s: Cosignature = wire::decode(bytes, "signature").unwrap();
            Some((s.epoch, s.revision, s.hash))
        }
        _ => None,
    });
    signed.collect()
}

/// The two honest ones go on: with the next epoch, and with nodes that come and go.
fn goes_on(world: &mut World, what: &str) {
    world.until_next_epoch();
    world.run(2 * PATIENCE_MS + SOON);
    world.loses(&HONEST, &[3]);
    world.sees(&HONEST, &[4]);
    world.run(2 * PATIENCE_MS + SOON);
    for n in HONEST {
        assert_eq!(world.current(n).unwrap().epoch, world.epoch(), "{what}");
        assert_eq!(world.lists(n), [1, 2, 4], "{what}");
    }
    assert_eq!(world.accused(0, 1), [], "{what}");
    assert_eq!(world.accused(1, 0), [], "{what}");
}

/// A change to a vote, and what its author is accused of.
type Lie<T> = (&'static str, fn(&mut T), Option<Misdeed>);

//= DIR-013
#[test]
fn no_lie_in_a_vote_changes_a_document() {
    let lies: [Lie<Vote>; 14] = [
        ("nobody is there", |v| v.nodes.clear(), None),
        ("from the past", |v| v.made = Timestamp::ZERO, None),
        ("from the future", |v| v.made = Timestamp::MAX, None),
        ("from a future epoch", |v| v.epoch += 5, Some(Misdeed::BadVote)),
        ("of the next epoch", |v| v.epoch += 1, None),
        ("of another version", |v| v.version = 9, Some(Misdeed::BadVote)),
        ("of another network", |v| v.network = NetworkId::new([1; 32]), Some(Misdeed::BadVote)),
        ("twice", |v| v.nodes.push(v.nodes[2].clone()), Some(Misdeed::BadVote)),
        ("out of order", |v| v.nodes.reverse(), Some(Misdeed::BadVote)),
        ("altered", |v| v.nodes[0].descriptor[9] ^= 1, Some(Misdeed::BadVote)),
        ("no descriptor", |v| v.nodes[0].descriptor.clear(), Some(Misdeed::BadVote)),
        ("old keys", |v| v.nodes = vec![descriptor(1, v.epoch - 9, 5_001)], Some(Misdeed::BadVote)),
        (
            "keys of another scheme",
            |v| {
                let mut node: NodeDescriptor =
                    wire::decode(&v.nodes[0].descriptor, "descriptor").unwrap();
                let seed = (1..4).find(|seed| node_id(*seed) == node.id).unwrap();
                node.keys[0].key = vec![1; 1_216];
                v.nodes[0] = sign_descriptor(&[seed; 32], &node);
            },
            Some(Misdeed::BadVote),
        ),
        (
            "other epochs",
            |v| v.parameters.epoch_ms += 1,
            Some(Misdeed::OtherParameters("epoch_seconds")),
        ),
    ];
    for (n, (what, lie, misdeed)) in lies.into_iter().enumerate() {
        let mut world = world(n as u64);
        let mut vote = honest_vote(&mut world, &[1, 2, 3]);
        lie(&mut vote);
        let frame = signed_by(LIAR, LIAR, &world, &vote);
        tells_both(&mut world, &frame);
        world.run(SOON);
        for n in HONEST {
            assert_eq!(world.lists(n), [1, 2, 3], "{what}");
            assert_eq!(world.accused(n, 2), Vec::from_iter(misdeed), "{what}");
        }
        goes_on(&mut world, what);
    }
}

#[test]
fn one_vote_lists_nobody_and_leaves_nobody_out() {
    let mut world = world(20);
    let vote = honest_vote(&mut world, &[1, 8, 9]);
    let frame = signed_by(LIAR, LIAR, &world, &vote);
    tells_both(&mut world, &frame);
    world.run(SOON);
    assert_eq!(world.lists(0), [1, 2, 3]);
    // A node keeps the descriptor that most have seen, also if the liar has another of its own.
    let epoch = world.epoch();
    let moved = Vote { made: world.real(LIAR), nodes: vec![descriptor(1, epoch, 6_666)], ..vote };
    let frame = signed_by(LIAR, LIAR, &world, &moved);
    tells_both(&mut world, &frame);
    world.run(SOON);
    let document = world.current(0).unwrap();
    assert_eq!(document.node(&node_id(1)).unwrap().addresses[0].to_string(), "127.0.0.1:5001");
    goes_on(&mut world, "a vote for others");
}

#[test]
fn nobody_votes_or_proposes_in_anothers_name() {
    let mut world = world(21);
    let vote = honest_vote(&mut world, &[8, 9]);
    let frame = signed_by(LIAR, 0, &world, &vote);
    world.says(LIAR, 1, frame);
    let unsigned = Frame::Vote(b"nonsense".to_vec());
    world.says(LIAR, 0, unsigned);
    world.run(SOON);
    assert_eq!(world.accused(1, 2), [Misdeed::Forged]);
    assert_eq!(world.accused(0, 2), [Misdeed::Forged]);
    let mut offered = honest_proposal(&world);
    offered.revision += 1;
    let Frame::Proposal(bytes) = proposal(&world, &offered) else { unreachable!() };
    let mut signed: SignedProposal = wire::decode(&bytes, "proposal").unwrap();
    signed.signature.authority = 0;
    world.run(TELL_MS);
    world.says(LIAR, 1, Frame::Proposal(wire::encode(&signed)));
    world.run(SOON);
    assert_eq!(world.accused(1, 2).last(), Some(&Misdeed::Forged));
    goes_on(&mut world, "in another's name");
}

#[test]
fn two_votes_for_one_moment_are_noticed_and_count_as_one() {
    let mut world = world(22);
    let to_one = honest_vote(&mut world, &[1, 2, 8]);
    let to_other = Vote { nodes: Vec::new(), ..to_one.clone() };
    let frame = signed_by(LIAR, LIAR, &world, &to_one);
    world.says(LIAR, 0, frame);
    let frame = signed_by(LIAR, LIAR, &world, &to_other);
    world.says(LIAR, 1, frame);
    world.run(SETTLED_MS + SOON);
    world.sees(&HONEST, &[5]);
    world.run(2 * PATIENCE_MS + SOON);
    assert_eq!(world.lists(0), [1, 2, 3, 5]);
    let noticed = HONEST.iter().any(|n| world.accused(*n, 2).contains(&Misdeed::TwoVotes));
    assert!(noticed, "one has proposed what the other has not");
    world.loses(&HONEST, &[5]);
    goes_on(&mut world, "two votes");
}

#[test]
fn a_vote_that_always_changes_and_only_one_hears_stops_nobody() {
    let mut world = world(23);
    for n in 0..12_u8 {
        let to = HONEST[usize::from(n % 2)];
        let vote = honest_vote(&mut world, &[n + 10]);
        let frame = signed_by(LIAR, LIAR, &world, &vote);
        world.says(LIAR, to, frame);
        world.run(2_500);
        if n == 4 {
            world.sees(&HONEST, &[6]);
        }
    }
    assert_eq!(world.lists(0), [1, 2, 3, 6]);
    world.loses(&HONEST, &[6]);
    goes_on(&mut world, "a vote that changes");
}

/// A proposal that would be acceptable: something has changed, and it is the liar's turn.
fn due(seed: u64) -> (World, Proposal) {
    let mut world = world(seed);
    world.sees(&HONEST, &[6]);
    // Long enough for the votes to reach the liar, too short for anybody to propose.
    world.run(400);
    let proposal = honest_proposal(&world);
    (world, proposal)
}

#[test]
fn a_good_proposal_of_anybody_is_signed() {
    let (mut world, offered) = due(30);
    let frame = proposal(&world, &offered);
    tells_both(&mut world, &frame);
    world.run(ECHO_MS + 500);
    assert_eq!(signatures(&world).len(), 2);
}

//= DIR-015
#[test]
fn no_lie_in_a_proposal_is_signed() {
    const UNKNOWN: VoteHash = VoteHash::new([9; 32]);
    let bad = |why| Some(Misdeed::BadProposal(why));
    let lies: [Lie<Proposal>; 12] = [
        ("another version", |p| p.version = 2, bad("of another network or version")),
        (
            "another network",
            |p| p.network = NetworkId::new([1; 32]),
            bad("of another network or version"),
        ),
        ("not its turn", |p| p.revision += 1, bad("it was not its turn")),
        (
            "an old epoch",
            |p| (p.epoch, p.revision) = (p.epoch - 3, p.revision),
            bad("its time is not in its epoch"),
        ),
        (
            "a new epoch",
            |p| p.published = p.published.plus_millis(EPOCH_MS),
            bad("its time is not in its epoch"),
        ),
        (
            "far away",
            |p| {
                p.published = p.published.plus_millis(3 * EPOCH_MS);
                p.epoch += 3;
            },
            bad("its time is ahead of ours: one of the two clocks is wrong"),
        ),
        ("a high revision", |p| p.revision += 3_000_000, bad("its revision is too high")),
        ("one vote", |p| p.votes.truncate(1), bad("it has too few votes")),
        ("a vote twice", |p| p.votes[1] = p.votes[0], bad("its votes are out of order")),
        (
            "votes exchanged",
            |p| (p.votes[0].vote, p.votes[1].vote) = (p.votes[1].vote, p.votes[0].vote),
            bad("it misnames a vote"),
        ),
        ("a vote that nobody has", |p| p.votes[1].vote = UNKNOWN, None),
        ("a signed revision", |p| p.revision -= 3, None),
    ];
    for (n, (what, lie, misdeed)) in lies.into_iter().enumerate() {
        let (mut world, mut offered) = due(40 + n as u64);
        while offered.revision < 3 {
            // Three revisions on: something has been signed before.
            world.run(SOON);
            let node = u8::try_from(world.random(9)).unwrap() + 20;
            world.sees(&HONEST, &[node]);
            world.run(400);
            offered = honest_proposal(&world);
        }
        lie(&mut offered);
        let before = signatures(&world).len();
        let frame = proposal(&world, &offered);
        tells_both(&mut world, &frame);
        world.run(ECHO_MS + 500);
        assert_eq!(signatures(&world).len(), before, "{what}");
        world.run(2 * PATIENCE_MS + SOON);
        for n in HONEST {
            assert_eq!(world.accused(n, 2), Vec::from_iter(misdeed), "{what}");
        }
        world.loses(&HONEST, &(5..30).collect::<Vec<u8>>());
        goes_on(&mut world, what);
    }
}

//= DIR-015
#[test]
fn a_leader_cannot_leave_a_vote_out() {
    // Alone with its own vote and one other, the liar could drop nodes that it does not list.
    let mut world = world(60);
    let vote = honest_vote(&mut world, &[1]);
    let frame = signed_by(LIAR, LIAR, &world, &vote);
    tells_both(&mut world, &frame);
    world.sees(&[0], &[6]);
    world.run(SETTLED_MS + 500);
    let signed: SignedVote = match &frame {
        Frame::Vote(bytes) => wire::decode(bytes, "vote").unwrap(),
        _ => unreachable!(),
    };
    let own = ProposedVote { authority: 2, vote: vote_hash(2, &signed.vote) };
    let votes = vec![vote_of(&world, 0), own];
    let offered = Proposal { votes, ..honest_proposal(&world) };
    let frame = proposal(&world, &offered);
    tells_both(&mut world, &frame);
    world.run(ECHO_MS + 500);
    assert_eq!(signatures(&world), [], "what lacks the vote of 1");
    assert_eq!(world.lists(0), [1, 2, 3]);
    world.loses(&HONEST, &[6]);
    goes_on(&mut world, "a vote left out");
}

//= DIR-015
#[test]
fn a_leader_that_shows_two_proposals_gets_at_most_one_signed() {
    for seed in 100..140 {
        let (mut world, offered) = due(seed);
        let other = Proposal { published: offered.published.plus_millis(1), ..offered.clone() };
        let frame = proposal(&world, &offered);
        world.says(LIAR, 0, frame);
        // With whatever delay suits it.
        let delay = world.random(2 * ECHO_MS);
        world.run(delay);
        let frame = proposal(&world, &other);
        world.says(LIAR, 1, frame);
        world.run(2 * ECHO_MS);
        let signed: BTreeSet<_> = signatures(&world).into_iter().collect();
        assert!(signed.len() <= 1, "seed {seed}");
        let noticed = HONEST.iter().any(|n| world.accused(*n, 2).contains(&Misdeed::TwoProposals));
        assert!(noticed, "seed {seed}");
        world.loses(&HONEST, &[6]);
        goes_on(&mut world, "two proposals");
    }
}

#[test]
fn no_lie_in_a_signature_harms() {
    let lies: [Lie<Cosignature>; 5] = [
        ("bad", |s| s.signature.ed25519[0] ^= 1, Some(Misdeed::BadSignature)),
        ("half bad", |s| s.signature.ml_dsa[0] ^= 1, Some(Misdeed::BadSignature)),
        ("of another", |s| s.signature.authority = 1, Some(Misdeed::BadSignature)),
        (
            "of another document",
            |s| s.hash = DocumentHash::new([1; 32]),
            Some(Misdeed::BadSignature),
        ),
        ("of another revision", |s| s.revision += 3, None),
    ];
    for (n, (what, lie, misdeed)) in lies.into_iter().enumerate() {
        let mut world = world(70 + n as u64);
        world.sees(&HONEST, &[6]);
        let before = world.overheard.len();
        let mut leader = None;
        while leader.is_none() {
            world.run(50);
            leader = world.overheard[before..].iter().find_map(|(_, _, frame)| match frame {
                Frame::Proposal(bytes) => {
                    let p: SignedProposal = wire::decode(bytes, "proposal").unwrap();
                    Some((usize::from(p.signature.authority), p.proposal))
                }
                _ => None,
            });
        }
        let (leader, bytes) = leader.unwrap();
        let p: Proposal = wire::decode(&bytes, "proposal").unwrap();
        let signature = key(LIAR).sign(2, b"something").unwrap();
        let hash = DocumentHash::new([0; 32]);
        let mut signed = Cosignature { epoch: p.epoch, revision: p.revision, hash, signature };
        lie(&mut signed);
        world.says(LIAR, leader, Frame::Cosignature(wire::encode(&signed)));
        world.run(SOON);
        assert_eq!(world.lists(0), [1, 2, 3, 6], "{what}");
        assert_eq!(world.accused(leader, 2), Vec::from_iter(misdeed), "{what}");
        world.loses(&HONEST, &[6]);
        goes_on(&mut world, what);
    }
}

//= DIR-005
#[test]
fn old_and_forged_documents_are_not_taken_and_two_of_one_pair_name_their_signers() {
    let mut world = world(80);
    let first = world.current(0).unwrap();
    world.sees(&HONEST, &[6]);
    world.run(PATIENCE_MS + SOON);
    let second = world.current(0).unwrap();
    assert!(second.revision > first.revision);
    let later =
        NetworkDocument { revision: second.revision + 1, ..NetworkDocument::clone(&second) };
    let alone = sign_document(&later, &world.set, &[(2, &key(2))]).unwrap();
    world.hands(LIAR, 0, first.bytes().to_vec());
    world.hands(LIAR, 0, b"nonsense".to_vec());
    world.hands(LIAR, 0, wire::encode(&alone));
    world.run(500);
    assert_eq!(world.current(0).unwrap().hash(), second.hash());
    // Two that sign twice are more than a threshold of two bears; they are named.
    let other = NetworkDocument { nodes: Vec::new(), ..NetworkDocument::clone(&second) };
    let twice = sign_document(&other, &world.set, &[(1, &key(1)), (2, &key(2))]).unwrap();
    world.hands(LIAR, 0, wire::encode(&twice));
    world.run(500);
    assert_eq!(world.current(0).unwrap().hash(), second.hash());
    assert!(world.accused(0, 1).contains(&Misdeed::TwoDocuments));
}

//= DIR-016
#[test]
fn a_flood_from_one_authority_is_looked_at_in_part_only() {
    let mut world = world(90);
    let before = world.overheard.len();
    for n in 0..400 {
        let mut vote = honest_vote(&mut world, &[1]);
        vote.made = vote.made.minus_millis(n);
        let frame = signed_by(LIAR, LIAR, &world, &vote);
        tells_both(&mut world, &frame);
        let asked = vote_of(&world, 0).vote;
        world.says(LIAR, 0, Frame::GetVote(asked));
    }
    world.sees(&HONEST, &[6]);
    world.run(2 * PATIENCE_MS + SOON);
    assert_eq!(world.lists(0), [1, 2, 3, 6]);
    let handed = world.overheard[before..].iter().filter(|(_, _, f)| matches!(f, Frame::Vote(_)));
    assert!(handed.count() < 60);
    world.run(HEARD_BURST * 1_000);
    world.loses(&HONEST, &[6]);
    goes_on(&mut world, "a flood");
}

//= DIR-016
#[test]
fn strangers_are_not_heard() {
    let mut world = world(91);
    let vote = honest_vote(&mut world, &[8]);
    let frame = signed_by(LIAR, LIAR, &world, &vote);
    let mut core = Consensus::new(
        ConsensusConfig {
            ids: Vec::new(),
            set: world.set.clone(),
            me: 0,
            parameters: parameters(),
            signed: Vec::new(),
        },
        key(0),
    );
    for from in [0, 3, 255] {
        core.heard(world.now, world.real(0), from, frame.clone());
    }
    assert!(core.votes.is_empty());
    core.heard(world.now, world.real(0), 2, frame);
    assert_eq!(core.votes.len(), 1);
}
