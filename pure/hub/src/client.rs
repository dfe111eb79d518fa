//! The client side: requests within bounds, and checks of everything in a response that can be
//! checked.

use std::collections::HashSet;

use streams::{BoxId, SealedBox, VerifiedBox};
use wire::hub::{Answer, BoxAddress, Operation, PutOutcome, Refusal, Request, Response};
use wire::id::AccessKey;
use wire::limits::{MAX_GET_DEADLINE_MS, MAX_GET_IDS, MAX_ONION_GET_IDS, MAX_RESPONSE_BOXES};

use crate::convert::sealed_to_wire;
use crate::{Error, from_wire};

/// Makes a request to store a box.
#[must_use]
pub fn put(access: AccessKey, sealed: &SealedBox) -> Request {
    Request { access, operation: Operation::Put(sealed_to_wire(sealed.clone())) }
}

/// Makes a request for boxes on a direct link: the first 256 of `ids`, for at most two minutes.
///
/// `deadline_ms` counts from the request's arrival at the hub. With `hold`, the hub answers at the
/// deadline even if a box arrives earlier.
#[must_use]
pub fn get(access: AccessKey, ids: &[BoxId], deadline_ms: u32, hold: bool) -> Request {
    let ids = ids.iter().take(MAX_GET_IDS).map(|id| BoxAddress(*id.as_bytes())).collect();
    let operation = Operation::Get { ids, deadline_ms: deadline_ms.min(MAX_GET_DEADLINE_MS), hold };
    Request { access, operation }
}

/// Makes a request for boxes on the onion route: like [`get`], with the first 16 of `ids`. They
/// should be ids of one stream, since the hub learns that one client asks for all of them.
#[must_use]
pub fn onion_get(access: AccessKey, ids: &[BoxId], deadline_ms: u32, hold: bool) -> Request {
    let (ids, _) = ids.split_at_checked(MAX_ONION_GET_IDS).unwrap_or((ids, &[]));
    get(access, ids, deadline_ms, hold)
}

/// Makes a request for nothing but an answer.
#[must_use]
pub fn echo(access: AccessKey) -> Request {
    Request { access, operation: Operation::Echo }
}

/// Reads a response.
///
/// # Errors
/// [`Error::HubMisbehaved`] if the bytes are not a response (`HUB-015`).
pub fn open(body: &[u8]) -> Result<Response, Error> {
    wire::decode(body, "hub response")
        .map_err(|_| Error::HubMisbehaved("a response that cannot be read"))
}

/// The outcome of a `put`. Both ways in which a hub can say that it is busy become
/// [`PutOutcome::SlowDown`].
///
/// # Errors
/// [`Error::Refused`], or [`Error::HubMisbehaved`] if this is not an answer to a `put`.
pub fn put_outcome(response: &Response) -> Result<PutOutcome, Error> {
    match &response.answer {
        Answer::Put(outcome) => Ok(*outcome),
        Answer::Refused(Refusal::SlowDown) => Ok(PutOutcome::SlowDown),
        Answer::Refused(refusal) => Err(Error::Refused(*refusal)),
        Answer::Boxes(_) | Answer::Echo => Err(Error::HubMisbehaved("not the answer to a put")),
    }
}

/// The boxes in the answer to a `get` of `ids`. All were asked for, none is there twice, and all
/// signatures are good.
///
/// # Errors
/// [`Error::Refused`], or [`Error::HubMisbehaved`] for anything that an honest hub never answers
/// (`HUB-015`). Then none of the boxes is returned.
pub fn boxes(response: Response, ids: &[BoxId]) -> Result<Vec<VerifiedBox>, Error> {
    let boxes = match response.answer {
        Answer::Boxes(boxes) => boxes,
        Answer::Refused(refusal) => return Err(Error::Refused(refusal)),
        Answer::Put(_) | Answer::Echo => {
            return Err(Error::HubMisbehaved("not the answer to a get"));
        }
    };
    if boxes.len() > MAX_RESPONSE_BOXES {
        return Err(Error::HubMisbehaved("too many boxes"));
    }
    let mut awaited: HashSet<&BoxId> = ids.iter().collect();
    let mut verified = Vec::with_capacity(boxes.len());
    for bytes in boxes {
        let sealed = from_wire(bytes);
        if !awaited.remove(&sealed.id) {
            return Err(Error::HubMisbehaved("a box that was not asked for"));
        }
        verified.push(
            sealed.verify().map_err(|_| Error::HubMisbehaved("a box whose signature is bad"))?,
        );
    }
    Ok(verified)
}

/// Whether a response to a `get` of `ids` on a direct link is a dummy: a single box that was not
/// asked for (`SHAPE-006`). It means an empty answer.
#[must_use]
pub fn is_dummy(response: &Response, ids: &[BoxId]) -> bool {
    match &response.answer {
        Answer::Boxes(boxes) => {
            matches!(boxes.as_slice(), [one] if !ids.contains(&BoxId::new(one.id)))
        }
        Answer::Put(_) | Answer::Echo | Answer::Refused(_) => false,
    }
}

/// Checks the answer to an `echo`.
///
/// # Errors
/// [`Error::Refused`], or [`Error::HubMisbehaved`] if this is not an answer to an `echo`.
pub fn echoed(response: &Response) -> Result<(), Error> {
    match &response.answer {
        Answer::Echo => Ok(()),
        Answer::Refused(refusal) => Err(Error::Refused(*refusal)),
        Answer::Put(_) | Answer::Boxes(_) => Err(Error::HubMisbehaved("not the answer to an echo")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::BootId;
    use wire::hub::BoxBytes;

    use super::*;
    use crate::store::conformance::sample;
    use crate::to_wire;

    fn response(answer: Answer) -> Response {
        Response { boot: BootId::new([1; 16]), answer, tally: None }
    }

    fn with(boxes: Vec<BoxBytes>) -> Response {
        response(Answer::Boxes(boxes))
    }

    fn misbehaves<T: std::fmt::Debug>(result: Result<T, Error>) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), wire::ErrorKind::HubMisbehaved, "{error}");
    }

    //= HUB-015
    #[test]
    fn a_box_is_believed_only_if_asked_for_once_and_signed() {
        let asked = [sample(0, 0).id(), sample(1, 0).id()];
        let good = vec![to_wire(sample(1, 0)), to_wire(sample(0, 3))];
        assert_eq!(boxes(with(good), &asked).unwrap(), [sample(1, 0), sample(0, 3)]);
        assert_eq!(boxes(with(vec![]), &asked).unwrap(), []);
        misbehaves(boxes(with(vec![to_wire(sample(2, 0))]), &asked));
        misbehaves(boxes(with(vec![to_wire(sample(0, 0)), to_wire(sample(0, 0))]), &asked));
        let mut forged = to_wire(sample(0, 0));
        forged.ciphertext[9] ^= 1;
        misbehaves(boxes(with(vec![to_wire(sample(1, 0)), forged]), &asked));
        let mut renamed = to_wire(sample(2, 0));
        renamed.id = *asked[0].as_bytes();
        misbehaves(boxes(with(vec![renamed]), &asked));
    }

    //= SHAPE-006
    #[test]
    fn a_single_box_that_was_not_asked_for_is_a_dummy() {
        let asked = [sample(0, 0).id(), sample(1, 0).id()];
        assert!(is_dummy(&with(vec![to_wire(sample(2, 0))]), &asked));
        assert!(!is_dummy(&with(vec![to_wire(sample(1, 0))]), &asked));
        assert!(!is_dummy(&with(vec![]), &asked));
        assert!(!is_dummy(&with(vec![to_wire(sample(2, 0)), to_wire(sample(3, 0))]), &asked));
        assert!(!is_dummy(&response(Answer::Echo), &asked));
        misbehaves(boxes(with(vec![to_wire(sample(2, 0))]), &asked));
    }

    //= HUB-015
    #[test]
    fn an_answer_to_something_else_is_misbehaviour_and_a_refusal_is_not() {
        let id = sample(0, 0).id();
        misbehaves(boxes(response(Answer::Echo), &[id]));
        misbehaves(boxes(response(Answer::Put(PutOutcome::Stored)), &[id]));
        misbehaves(put_outcome(&with(vec![])));
        misbehaves(put_outcome(&response(Answer::Echo)));
        misbehaves(echoed(&with(vec![])));
        misbehaves(open(&[0xff, 1, 2]));
        let refused = response(Answer::Refused(Refusal::NotAdmitted));
        assert_eq!(put_outcome(&refused), Err(Error::Refused(Refusal::NotAdmitted)));
        assert_eq!(boxes(refused.clone(), &[id]), Err(Error::Refused(Refusal::NotAdmitted)));
        assert_eq!(echoed(&refused), Err(Error::Refused(Refusal::NotAdmitted)));
        assert_eq!(
            put_outcome(&response(Answer::Refused(Refusal::SlowDown))),
            Ok(PutOutcome::SlowDown)
        );
        assert_eq!(echoed(&response(Answer::Echo)), Ok(()));
    }

    #[test]
    fn requests_stay_within_their_bounds() {
        let access = AccessKey::new([3; 16]);
        let ids = vec![BoxId::new([7; 32]); 1000];
        for (request, most) in [
            (get(access, &ids, u32::MAX, true), 256),
            (onion_get(access, &ids, u32::MAX, true), 16),
        ] {
            let Operation::Get { ids, deadline_ms, hold } = &request.operation else {
                unreachable!()
            };
            assert_eq!((ids.len(), *deadline_ms, *hold), (most, 120_000, true));
            assert_eq!(
                wire::decode::<Request>(&wire::encode(&request), "request").unwrap(),
                request
            );
        }
        assert_eq!(onion_get(access, &ids[..2], 9, false), get(access, &ids[..2], 9, false));
    }

    proptest! {
        #[test]
        fn garbage_is_misbehaviour_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(response) = open(&bytes) {
                let _ = boxes(response.clone(), &[sample(0, 0).id()]);
                let _ = put_outcome(&response);
            }
        }
    }
}
