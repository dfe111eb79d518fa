//! Requests on their way: each with the place for its answer, and each as JSON.
//!
//! [`Call`] lists every request. The engine matches on it, so a request that nothing handles does
//! not compile; the socket and `rpc` read and write it, so both speak the same types.

use std::pin::Pin;

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::Request;
use super::conversations::*;
use super::lan::*;
use super::messages::*;
use super::profile::*;
use super::rooms::*;
use crate::refusal::Refusal;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum ReadError {
        NoSuchMethod,
        Params,
    }
);

/// The place for an answer of this type. Dropped unanswered, it reads as a refusal.
pub struct Answer<T>(oneshot::Sender<Result<T, Refusal>>);

impl<T> Answer<T> {
    /// A place for an answer, and where it comes out.
    #[must_use]
    pub fn new() -> (Answer<T>, oneshot::Receiver<Result<T, Refusal>>) {
        let (to, from) = oneshot::channel();
        (Answer(to), from)
    }

    /// Answers. Nobody may be waiting any more: that is no error.
    pub fn send(self, done: Result<T, Refusal>) {
        let _ = self.0.send(done);
    }
}

/// An answer as JSON, when it comes.
pub type Pending = Pin<Box<dyn Future<Output = Result<Value, Refusal>> + Send>>;

/// A call as JSON, with what takes its answer.
pub struct Written {
    /// The request's name.
    pub method: &'static str,
    /// Its fields.
    pub params: Value,
    /// Takes the answer.
    pub answer: Box<dyn FnOnce(Result<Value, Refusal>) + Send>,
}

/// Why JSON is no call.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No request has that name.
    #[error("there is no such method")]
    NoSuchMethod,
    /// The fields do not fit the request.
    #[error("{0}")]
    Params(String),
}

/// The JSON schemas of a request and its reply.
pub struct MethodSchema {
    /// The request's name.
    pub method: &'static str,
    /// Its fields.
    pub params: schemars::Schema,
    /// Its reply.
    pub result: schemars::Schema,
}

fn read<R: Request>(params: Value) -> Result<(Call, Pending), ReadError> {
    let params = if params.is_null() { Value::Object(Map::new()) } else { params };
    let request: R =
        serde_json::from_value(params).map_err(|e| ReadError::Params(e.to_string()))?;
    let (answer, answered) = Answer::new();
    let pending = async move {
        let reply = answered.await.unwrap_or_else(|_| Err(Refusal::stopped()))?;
        serde_json::to_value(reply).map_err(|_| Refusal::bug("the reply is not JSON"))
    };
    Ok((request.with_answer(answer), Box::pin(pending)))
}

fn write<R: Request>(request: &R, answer: Answer<R::Reply>) -> Written {
    let take = move |done: Result<Value, Refusal>| {
        let reply = done.and_then(|value| {
            serde_json::from_value(value).map_err(|_| {
                Refusal::bug("the daemon's reply is not what this request is answered")
            })
        });
        answer.send(reply);
    };
    Written {
        method: R::METHOD,
        params: serde_json::to_value(request).unwrap_or_default(),
        answer: Box::new(take),
    }
}

fn schema<R: Request>(generator: &mut schemars::SchemaGenerator) -> MethodSchema {
    MethodSchema {
        method: R::METHOD,
        params: generator.subschema_for::<R>(),
        result: generator.subschema_for::<R::Reply>(),
    }
}

macro_rules! calls {
    ($($name:ident,)+) => {
        /// Every request there is, with the place for its answer.
        #[allow(missing_docs, reason = "the request of the same name says it")]
        pub enum Call {
            $($name($name, Answer<<$name as Request>::Reply>),)+
        }

        impl Call {
            /// The names of all requests.
            pub const METHODS: &'static [&'static str] = &[$($name::METHOD),+];

            /// The request's name.
            #[must_use]
            pub const fn method(&self) -> &'static str {
                match self { $(Call::$name(..) => $name::METHOD,)+ }
            }

            /// Refuses it.
            pub fn refuse(self, refusal: Refusal) {
                match self { $(Call::$name(_, answer) => answer.send(Err(refusal)),)+ }
            }

            /// Reads a request from JSON.
            ///
            /// # Errors
            /// No such method; fields that do not fit.
            pub fn read(method: &str, params: Value) -> Result<(Call, Pending), ReadError> {
                match method {
                    $($name::METHOD => read::<$name>(params),)+
                    _ => Err(ReadError::NoSuchMethod),
                }
            }

            /// Writes the request as JSON.
            #[must_use]
            pub fn write(self) -> Written {
                match self { $(Call::$name(request, answer) => write(&request, answer),)+ }
            }

            /// The schemas of all requests and replies; what they share is defined by `generator`.
            pub fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<MethodSchema> {
                vec![$(schema::<$name>(generator)),+]
            }
        }
    };
}

calls! {
    GetStatus, Flush, SetName, ListNetworks, ListSettings, SetSetting,
    Resolve, ResolveMember, ResolveTalker,
    Invite, ListInvites, Revoke, Accept,
    ListConversations, ListMembers, SetOwnName, AllowRoutes, SetTimer,
    GetSafetyWords, Verify, AcceptKeys, Block, Resume, GetIdentityStatement, VerifyIdentity, ForgetIdentity,
    CreateGroup, InviteToGroup, ListGroupInvites, AnswerGroupInvite,
    RemoveMember, RenameGroup, RestartGroup, Refresh, Leave, Forget, CheckOn,
    SendText, SendFile, ListFiles, AcceptFile, CancelFile,
    Edit, Delete, React, Cancel, GetWhy, MarkSeen, GetHistory, GetHistoryAfter, Search,
    GetMesh, ListNearby, ShowNearby, Knock, AcceptKnock, RefuseKnock, BundleOut, BundleIn,
    JoinRoom, CreateRoom, ListRooms, GetRoomHistory, Say, MarkRoomSeen, SetRoomNick, GetRoomLink,
    MuteTalker, RekeyRoom, SetRoomRoute, RenewRoomCircuits, LeaveRoom,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::{ConversationId, MessageId};
    use crate::views::Queued;

    #[test]
    fn every_method_has_a_name_of_its_own() {
        let mut names = Call::METHODS.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Call::METHODS.len());
    }

    #[tokio::test]
    async fn a_call_crosses_a_socket_and_its_reply_comes_back_typed() {
        let conversation = ConversationId::new([1; 16]);
        let asked = SendText { conversation, text: "hi".to_owned(), reply_to: None };
        let (answer, answered) = Answer::new();
        let written = asked.clone().with_answer(answer).write();

        let (call, pending) = Call::read(written.method, written.params).ok().unwrap();
        let Call::SendText(request, to) = call else { panic!("another request") };
        assert_eq!(request, asked);
        let queued = Queued { message: MessageId::new([2; 16]) };
        to.send(Ok(queued));
        (written.answer)(pending.await);
        assert_eq!(answered.await.unwrap(), Ok(queued));
    }

    #[tokio::test]
    async fn a_call_that_nobody_answers_is_refused() {
        let (call, pending) = Call::read("status", Value::Null).ok().unwrap();
        drop(call);
        assert_eq!(pending.await, Err(Refusal::stopped()));
    }

    #[test]
    fn what_does_not_fit_is_no_call() {
        let read = |method, params| Call::read(method, params).err();
        assert_eq!(read("fly", json!({})), Some(ReadError::NoSuchMethod));
        for params in [json!({}), json!({"conversation": "bob", "text": "x"}), json!([1])] {
            assert!(matches!(read("send", params), Some(ReadError::Params(_))));
        }
        assert!(matches!(read("status", json!({"x": 1})), Some(ReadError::Params(_))));
    }

    #[test]
    fn a_log_shows_no_text() {
        let say = SetName { name: "alice".to_owned() };
        assert_eq!(format!("{say:?}"), "set_name");
    }
}
