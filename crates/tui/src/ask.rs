//! Questions for the engine: a request on its way, and what its answer does to the state.
//!
//! A question holds an [`api::Call`], so the loop only passes it on, and a story can look at the
//! request and answer it without an engine.

use std::fmt;
use std::pin::Pin;

use api::{Answer, Call, Refusal, Request};

use crate::state::{App, Effect};

/// A request on its way.
pub(crate) struct Question {
    /// The request, with the place for its answer.
    pub(crate) call: Call,
    /// The step that the answer leads to, when it comes.
    pub(crate) answered: Pin<Box<dyn Future<Output = Step> + Send>>,
}

type Change = dyn FnOnce(&mut App, &mut Vec<Effect>) + Send;

/// What an answer does to the state.
pub(crate) struct Step(Box<Change>);

impl Step {
    /// Does it.
    pub(crate) fn take(self, app: &mut App, out: &mut Vec<Effect>) {
        (self.0)(app, out);
    }
}

/// Asks; what comes back, a refusal too, is for `then`.
pub(crate) fn ask_either<R: Request>(
    out: &mut Vec<Effect>,
    request: R,
    then: impl FnOnce(&mut App, &mut Vec<Effect>, Result<R::Reply, Refusal>) + Send + 'static,
) {
    let (answer, answered) = Answer::new();
    let answered = async move {
        let reply = answered.await.unwrap_or_else(|_| Err(Refusal::stopped()));
        Step(Box::new(move |app, out| then(app, out, reply)))
    };
    let call = request.with_answer(answer);
    out.push(Effect::Ask(Question { call, answered: Box::pin(answered) }));
}

/// Asks; a refusal is shown.
pub(crate) fn ask<R: Request>(
    out: &mut Vec<Effect>,
    request: R,
    then: impl FnOnce(&mut App, &mut Vec<Effect>, R::Reply) + Send + 'static,
) {
    ask_either(out, request, |app, out, answer| match answer {
        Ok(reply) => then(app, out, reply),
        Err(refusal) => app.refused(&refusal),
    });
}

/// Asks, and says this when it is done.
pub(crate) fn ask_and_say<R: Request>(out: &mut Vec<Effect>, request: R, text: impl Into<String>) {
    let text = text.into();
    ask(out, request, move |app, _, _| {
        app.say(text);
        app.refresh(crate::state::Fact::Conversations);
    });
}

// Requests and answers hold texts and names: a log shows the method alone.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({})", self.call.method())
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Step")
    }
}
