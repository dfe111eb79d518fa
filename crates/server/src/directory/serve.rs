//! The listening side: documents for who asks, and registrations, which are checked by dialling
//! back.

use std::pin::Pin;
use std::time::Duration;

use mix::directory::{EnrolledKey, Presence};
use net::{Incoming, LinkReader};
use wire::frame::{Credential, RefusedReason};
use wire::id::AdmissionToken;
use wire::{Address, Frame, NodeId};

use super::{Published, Reach, Shared, reach};
use crate::accept::SILENCE;
use crate::node::next_link;
use crate::outgoing::{Outgoing, Rank};

/// Between two tries to reach a node that does not answer.
const CHECK_AGAIN: Duration = Duration::from_secs(5);

/// Removes a registered node's presence when its link ends, however it ends.
struct Registered<'a> {
    shared: &'a Shared,
    node: NodeId,
}

impl<'a> Registered<'a> {
    fn new(shared: &'a Shared, node: NodeId) -> Self {
        let mut links = shared.links();
        let count = links.entry(node).or_insert(0);
        *count += 1;
        Registered { shared, node }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let mut links = self.shared.links();
        let left = links.get(&self.node).map_or(0, |n| n.saturating_sub(1));
        if left == 0 {
            links.remove(&self.node);
            let now = self.shared.clock.real();
            self.shared.assembler().presence(now, self.node, Presence::Away);
        } else {
            links.insert(self.node, left);
        }
    }
}

/// Who reads the documents on a link.
#[derive(Clone, Copy)]
enum Audience<'a> {
    /// Somebody who gets them unsealed.
    Plain,
    /// An enrolled client.
    Client(&'a EnrolledKey),
}

impl Shared {
    /// What a credential entitles the asker to. A node's token counts only on a link that proves an
    /// identity.
    fn audience(
        &self,
        peer: Option<NodeId>,
        credential: &Credential,
    ) -> Result<Audience<'_>, RefusedReason> {
        if self.enrolled.is_empty() {
            return Ok(Audience::Plain);
        }
        match credential {
            Credential::Node(token) if peer.is_some() && self.assembler().admits(token) => {
                Ok(Audience::Plain)
            }
            Credential::Node(_) => Err(RefusedReason::NotAdmitted),
            Credential::Client(id) => {
                self.enrolled.get(id).map(Audience::Client).ok_or(RefusedReason::NotEnrolled)
            }
        }
    }
}

/// The frame that carries a document to its reader.
fn bring(audience: Audience<'_>, published: &Published) -> Frame {
    match audience {
        Audience::Plain => Frame::Document(published.bytes.clone()),
        Audience::Client(key) => match key.seal(&published.bytes, &mut rand::rng()) {
            Ok(sealed) => Frame::SealedDocument(sealed),
            Err(error) => {
                tracing::error!(%error, "cannot seal");
                Frame::Refused(RefusedReason::NotReady)
            }
        },
    }
}

pub(super) async fn serve(incoming: Incoming, shared: &Shared) {
    let (seat, queue) = shared.seats.open(next_link(), Rank::Stranger);
    tokio::select! {
        () = talk(incoming, shared, &seat) => {}
        () = queue.given_up() => tracing::debug!("link closed: others needed its seat"),
    }
}

async fn talk(incoming: Incoming, shared: &Shared, seat: &Outgoing) {
    let peer = incoming.peer;
    let (mut reader, mut writer) = incoming.link.split();
    let mut published = shared.published.subscribe();
    let mut subscribed: Option<Audience<'_>> = None;
    let mut registered: Option<Registered<'_>> = None;
    let mut check: Option<Check> = None;
    let mut told = false;
    loop {
        let answer = tokio::select! {
            changed = published.changed(), if subscribed.is_some() => {
                if changed.is_err() { return }
                let current = published.borrow_and_update().clone();
                current.zip(subscribed).map(|(p, audience)| bring(audience, &p))
            }
            (node, addresses, answers) = checked(&mut check) => {
                let presence = if answers { Presence::Reached } else { Presence::DialsOnly };
                shared.assembler().presence(shared.clock.real(), node, presence);
                if answers || addresses.is_empty() {
                    None
                } else {
                    check = Some(again(shared, node, addresses, CHECK_AGAIN));
                    let first = !std::mem::replace(&mut told, true);
                    first.then_some(Frame::Refused(RefusedReason::Unreachable))
                }
            }
            frame = read(&mut reader, registered.is_some()) => match frame {
                Ok(Some(ask @ (Frame::GetDocument(_) | Frame::GetDocumentAs(..)))) => {
                    let (known, audience) = match ask {
                        Frame::GetDocumentAs(known, as_whom) => (known, shared.audience(peer, &as_whom)),
                        Frame::GetDocument(known) if shared.enrolled.is_empty() || registered.is_some() => {
                            (known, Ok(Audience::Plain))
                        }
                        _ => (None, Err(RefusedReason::NotEnrolled)),
                    };
                    Some(match audience {
                        Err(reason) => Frame::Refused(reason),
                        Ok(audience) => {
                            // After the first request, each newer document is sent as long as the
                            // link lasts.
                            subscribed = Some(audience);
                            let current = published.borrow_and_update().clone();
                            match current {
                                None => Frame::Refused(RefusedReason::NotReady),
                                Some(p) if known == Some(p.hash) => Frame::NotModified,
                                Some(p) => bring(audience, &p),
                            }
                        }
                    })
                }
                Ok(Some(Frame::Register { token, descriptor })) => {
                    Some(match register(shared, peer, &token, &descriptor) {
                        Err(reason) => Frame::Refused(reason),
                        Ok((node, addresses)) => {
                            seat.rank(Rank::Node);
                            registered.get_or_insert_with(|| Registered::new(shared, node));
                            check = Some(again(shared, node, addresses, Duration::ZERO));
                            Frame::Registered(shared.assembler().epoch(shared.clock.real()))
                        }
                    })
                }
                Ok(Some(Frame::Report(suspected))) if registered.is_some() => {
                    let from = registered.as_ref().map(|registered| registered.node);
                    let now = shared.clock.now();
                    from.into_iter().for_each(|n| shared.assembler().report(now, n, &suspected));
                    None
                }
                Ok(Some(Frame::Ping)) => Some(Frame::Pong),
                Ok(Some(Frame::Pong)) => None,
                Ok(Some(frame)) => {
                    let heard = shared.between_directories(peer, frame).await;
                    (!heard).then_some(Frame::Refused(RefusedReason::NotHere))
                }
                Ok(None) | Err(_) => return,
            },
        };
        seat.heard();
        if let Some(frame) = answer
            && writer.send(&frame).await.is_err()
        {
            return;
        }
    }
}

/// The next frame. A node that says nothing for [`SILENCE`] is not there, even if its link is: it
/// pings three times as often.
async fn read(reader: &mut LinkReader, is_node: bool) -> Result<Option<Frame>, net::Error> {
    if !is_node {
        return reader.read().await;
    }
    tokio::time::timeout(SILENCE, reader.read()).await.unwrap_or(Err(net::Error::IdleTimeout))
}

/// A node that is being dialled back: who and where, and whether it answers.
type Check = Pin<Box<dyn Future<Output = (NodeId, Vec<Address>, bool)> + Send>>;

fn again(shared: &Shared, node: NodeId, addresses: Vec<Address>, after: Duration) -> Check {
    let reach = shared.reach;
    Box::pin(async move {
        tokio::time::sleep(after).await;
        let answers = match reach {
            Some(Reach { public }) => reach::answers(node, addresses.clone(), public).await,
            None => true,
        };
        (node, addresses, answers)
    })
}

/// Returns when the check is done; never if there is none.
async fn checked(check: &mut Option<Check>) -> (NodeId, Vec<Address>, bool) {
    let Some(running) = check else { return std::future::pending().await };
    let done = running.await;
    *check = None;
    done
}

/// The node that a descriptor is of, and its addresses.
fn register(
    shared: &Shared,
    peer: Option<NodeId>,
    token: &AdmissionToken,
    descriptor: &[u8],
) -> Result<(NodeId, Vec<Address>), RefusedReason> {
    let now = shared.clock.real();
    let bad = RefusedReason::BadDescriptor;
    let signed = wire::decode(descriptor, "descriptor").map_err(|_| bad)?;
    // The link must prove the identity in the descriptor, or a node could be marked present by
    // somebody else's link.
    let parsed = mix::directory::verify_descriptor(&signed).map_err(|_| bad)?;
    if Some(parsed.id) != peer {
        return Err(bad);
    }
    let node = shared.assembler().register(now, token, &signed)?;
    Ok((node, parsed.addresses))
}
