//! What front ends ask: one type per request, each with the type of its reply.

mod call;
mod conversations;
mod lan;
mod messages;
mod profile;
mod rooms;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::call::{Answer, Call, MethodSchema, Pending, ReadError, Written};
pub use self::conversations::*;
pub use self::lan::*;
pub use self::messages::*;
pub use self::profile::*;
pub use self::rooms::*;

/// Something that a front end asks of the engine.
pub trait Request: Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// What the engine answers, unless it refuses.
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// The request's name in JSON.
    const METHOD: &'static str;

    /// The request with the place for its answer, as the engine takes it.
    fn with_answer(self, answer: Answer<Self::Reply>) -> Call;
}

/// Defines requests: a struct each, its name in JSON, its reply.
macro_rules! requests {
    ($(
        $(#[$doc:meta])*
        $method:literal $name:ident => $reply:ty {
            $($(#[$fdoc:meta])* $field:ident: $ty:ty,)*
        }
    )+) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$fdoc])* pub $field: $ty,)*
        }

        impl $crate::request::Request for $name {
            type Reply = $reply;
            const METHOD: &'static str = $method;

            fn with_answer(self, answer: $crate::request::Answer<$reply>) -> $crate::request::Call {
                $crate::request::Call::$name(self, answer)
            }
        }

        // Requests hold texts, links and names: a log shows the method alone.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($method)
            }
        }
    )+ };
}
use requests;
