use proptest::prelude::*;

use super::*;
use crate::document::{Cosignature, DocumentSignature, Proposal, ProposedVote, SignedProposal};
use crate::{NetworkId, Timestamp};

/// As long as a proposal of so many authorities gets.
fn proposal(authorities: u8) -> Proposal {
    let vote = VoteHash::new([7; 32]);
    Proposal {
        version: 1,
        network: NetworkId::new([6; 32]),
        epoch: u64::MAX,
        revision: u32::MAX,
        published: Timestamp::MAX,
        votes: (0..authorities).map(|authority| ProposedVote { authority, vote }).collect(),
    }
}

fn signature() -> DocumentSignature {
    DocumentSignature { authority: 15, ed25519: [1; 64], ml_dsa: vec![2; 3309] }
}

fn parse_all(bytes: &[u8]) -> Result<Frame, Error> {
    let (header, body) = bytes.split_first_chunk::<HEADER_LEN>().unwrap();
    let header = Header::parse(*header)?;
    assert_eq!(header.body_len(), body.len());
    Frame::parse(header.kind(), body)
}

//= WIRE-001
#[test]
fn a_length_over_the_kinds_maximum_is_refused_from_the_header_alone() {
    for byte in 0..=255u8 {
        match FrameKind::try_from(byte) {
            Ok(kind) => {
                assert_eq!(kind_byte(kind), byte);
                let max = u32::try_from(kind.max_len()).unwrap();
                let [_, a, b, c] = max.to_be_bytes();
                assert_eq!(Header::parse([byte, a, b, c]).unwrap().body_len(), kind.max_len());
                let [_, a, b, c] = (max + 1).to_be_bytes();
                assert!(matches!(Header::parse([byte, a, b, c]), Err(Error::TooLong { .. })));
            }
            Err(e) => {
                assert_eq!(e, Error::UnknownKind(byte));
                assert_eq!(Header::parse([byte, 0, 0, 0]), Err(Error::UnknownKind(byte)));
            }
        }
    }
}

#[test]
fn every_kind_survives_a_round_trip() {
    let frames = [
        Frame::Packet { epoch: 9, packet: vec![1; 500] },
        Frame::Reply { surb_id: [3; 16], padded: vec![2; 488] },
        Frame::Attach(ClientToken::new([1; 32])),
        Frame::Attached(BootId::new([1; 16])),
        Frame::Ping,
        Frame::Pong,
        Frame::GetDocument(None),
        Frame::GetDocument(Some(DocumentHash::new([5; 32]))),
        Frame::Document(vec![1, 2, 3]),
        Frame::NotModified,
        Frame::Register { token: AdmissionToken::new([1; 32]), descriptor: vec![9; 100] },
        Frame::Registered(77),
        Frame::Refused(RefusedReason::NotAdmitted),
        Frame::Refused(RefusedReason::NotEnrolled),
        Frame::GetDocumentAs(
            Some(DocumentHash::new([5; 32])),
            Credential::Node(AdmissionToken::new([6; 32])),
        ),
        Frame::GetDocumentAs(None, Credential::Client(EnrolmentId::new([7; 32]))),
        Frame::SealedDocument(vec![1, 2, 3]),
        Frame::Moved(Moved { addresses: vec!["home.example:5999".parse().unwrap()] }),
        Frame::Vote(vec![1, 2, 3]),
        Frame::GetVote(VoteHash::new([8; 32])),
        Frame::Proposal(encode(&SignedProposal {
            proposal: encode(&proposal(16)),
            signature: signature(),
        })),
        Frame::Cosignature(encode(&Cosignature {
            epoch: u64::MAX,
            revision: u32::MAX,
            hash: DocumentHash::new([9; 32]),
            signature: signature(),
        })),
        Frame::Report(vec![
            Suspected {
                suspect: Suspect::Link(NodeId::new([1; 32]), NodeId::new([2; 32])),
                since_ms: u32::MAX,
            };
            16
        ]),
        Frame::MeshProof(mesh::Proof([8; 32])),
        Frame::MeshKnock(mesh::Knock { name: b"ann".to_vec() }),
        Frame::MeshWelcomed(mesh::Welcomed { invite: vec![1; 300] }),
        Frame::Mesh(mesh::Message::Ranges(vec![0x61])),
        Frame::Mesh(mesh::Message::Offer(vec![mesh::Offered {
            id: hub::BoxAddress([1; 32]),
            hops: 4,
        }])),
    ];
    for frame in frames {
        assert_eq!(parse_all(&frame.to_bytes().unwrap()).unwrap(), frame);
    }
}

#[test]
fn an_oversized_frame_is_not_written() {
    let mut out = vec![1];
    let frame = Frame::Packet { epoch: 0, packet: vec![0; MAX_PACKET] };
    assert!(matches!(frame.write_to(&mut out), Err(Error::TooLong { .. })));
    assert_eq!(out, [1]);
}

proptest! {
    #[test]
    fn no_body_makes_the_parser_panic(kind in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(kind) = FrameKind::try_from(kind)
            && let Ok(frame) = Frame::parse(kind, &body)
        {
            let again = parse_all(&frame.to_bytes().unwrap()).unwrap();
            prop_assert_eq!(again, frame);
        }
    }
}

//= WIRE-004
#[test]
fn proposals_and_reports_with_too_many_entries_are_refused() {
    assert!(decode::<Proposal>(&encode(&proposal(16)), "proposal").is_ok());
    assert!(decode::<Proposal>(&encode(&proposal(17)), "proposal").is_err());
    let suspected = Suspected { suspect: Suspect::Node(NodeId::new([1; 32])), since_ms: 0 };
    let body = encode(&ReportBody { suspected: vec![suspected; 17] });
    assert!(Frame::parse(FrameKind::Report, &body).is_err());
}
