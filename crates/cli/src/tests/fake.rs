//! An engine that knows a few conversations and remembers what it was asked.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use api::{
    AllowedRoutes, Call, Candidate, Client, ConversationId, ConversationKind, ConversationView,
    Done, Event, MessageId, Opening, ProfileOptions, Profiles, Queued, Reason, Refusal, Request,
    Resolve, Resolved, Scope, Status, Target, Thing, Working,
};
use serde_json::Value;
use tokio::sync::mpsc;

/// A contact or group.
#[derive(Debug, Clone)]
pub(crate) struct FakeConversation {
    pub(crate) id: ConversationId,
    pub(crate) kind: ConversationKind,
    pub(crate) own: Option<String>,
    pub(crate) given: String,
    pub(crate) formerly: Option<String>,
}

impl FakeConversation {
    pub(crate) fn contact(seed: u8, nick: &str) -> FakeConversation {
        let (id, kind) = (ConversationId::new([seed; 16]), ConversationKind::Contact);
        FakeConversation { id, kind, own: None, given: nick.to_owned(), formerly: None }
    }

    pub(crate) fn group(seed: u8, title: &str) -> FakeConversation {
        FakeConversation { kind: ConversationKind::Group, ..FakeConversation::contact(seed, title) }
    }

    pub(crate) fn own(self, name: &str) -> FakeConversation {
        FakeConversation { own: Some(name.to_owned()), ..self }
    }

    pub(crate) fn formerly(self, name: &str) -> FakeConversation {
        FakeConversation { formerly: Some(name.to_owned()), ..self }
    }

    fn label(&self) -> String {
        self.own.clone().unwrap_or_else(|| self.given.clone())
    }

    fn fits(&self, scope: Scope) -> bool {
        match scope {
            Scope::Any | Scope::Conversation => true,
            Scope::Contact => self.kind == ConversationKind::Contact,
            Scope::Group => self.kind == ConversationKind::Group,
            Scope::Room => false,
        }
    }

    fn candidate(&self) -> Candidate {
        let target = Target::Conversation(self.id);
        Candidate { target, label: self.label(), short: self.id.short() }
    }

    fn view(&self) -> ConversationView {
        ConversationView {
            id: self.id,
            label: self.label(),
            own_name: self.own.clone(),
            title: self.given.clone(),
            kind: self.kind,
            verified: false,
            standing: api::Standing::Normal,
            pgp: None,
            allowed_routes: AllowedRoutes::Hidden,
            open: true,
            timer_s: None,
            members: 2,
            unseen: 0,
            unacknowledged: 0,
            changing: false,
            route: None,
            newest: None,
        }
    }
}

/// What happens to the conversations after a name was resolved.
type Change = Box<dyn FnOnce(&mut Vec<FakeConversation>) + Send>;

struct World {
    talks: Vec<FakeConversation>,
    asked: Vec<(&'static str, Value)>,
    after_resolve: Option<Change>,
}

/// The profile, and its engine.
#[derive(Clone)]
pub(crate) struct Fake(Arc<Mutex<World>>);

impl Fake {
    pub(crate) fn new(talks: impl IntoIterator<Item = FakeConversation>) -> Fake {
        let talks = talks.into_iter().collect();
        Fake(Arc::new(Mutex::new(World { talks, asked: Vec::new(), after_resolve: None })))
    }

    pub(crate) fn profiles(&self) -> Arc<dyn Profiles> {
        Arc::new(self.clone())
    }

    /// The fields of all requests of this name.
    pub(crate) fn asked(&self, method: &str) -> Vec<Value> {
        let world = self.world();
        world.asked.iter().filter(|(name, _)| *name == method).map(|(_, r)| r.clone()).collect()
    }

    /// Changes the conversations after the next name was resolved.
    pub(crate) fn after_resolve(
        &self,
        change: impl FnOnce(&mut Vec<FakeConversation>) + Send + 'static,
    ) {
        self.world().after_resolve = Some(Box::new(change));
    }

    /// Another member gives a conversation another title.
    pub(crate) fn rename(&self, at: usize, title: &str) {
        title.clone_into(&mut self.world().talks[at].given);
    }

    /// A client of the engine, and its events: nothing happens by itself here.
    pub(crate) fn start(&self) -> (Client, mpsc::Receiver<Event>) {
        let (calls, mut asked) = mpsc::channel(64);
        let (events, told) = mpsc::channel(1);
        let fake = self.clone();
        let engine = tokio::spawn(async move {
            while let Some(call) = asked.recv().await {
                fake.world().answer(call);
            }
            drop(events);
        });
        (Client::new(calls, Some(engine)), told)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl World {
    fn note<R: Request>(&mut self, request: &R) {
        self.asked.push((R::METHOD, serde_json::to_value(request).unwrap()));
    }

    fn answer(&mut self, call: Call) {
        match call {
            Call::Resolve(request, answer) => {
                self.note(&request);
                answer.send(self.resolve(&request));
                if let Some(change) = self.after_resolve.take() {
                    change(&mut self.talks);
                }
            }
            Call::SendText(request, answer) => {
                self.note(&request);
                answer.send(Ok(Queued { message: MessageId::new([9; 16]) }));
            }
            Call::SetOwnName(request, answer) => {
                self.note(&request);
                for talk in self.talks.iter_mut().filter(|t| t.id == request.conversation) {
                    talk.own.clone_from(&request.name);
                }
                answer.send(Ok(Done {}));
            }
            Call::Leave(request, answer) => {
                self.note(&request);
                answer.send(Ok(Done {}));
            }
            Call::GetHistory(request, answer) => {
                self.note(&request);
                answer.send(Ok(Vec::new()));
            }
            Call::ListConversations(_, answer) => {
                answer.send(Ok(self.talks.iter().map(FakeConversation::view).collect()));
            }
            Call::GetStatus(_, answer) => answer.send(Ok(status())),
            other => {
                self.asked.push((other.method(), Value::Null));
                other.refuse(Refusal::bug("not in this story"));
            }
        }
    }

    /// The rules of names, as far as the stories need them: an own name, else the one title or nick
    /// that nobody else had before, else an id.
    fn resolve(&self, request: &Resolve) -> Result<Resolved, Refusal> {
        let all = || self.talks.iter().filter(|t| t.fits(request.scope));
        let name = request.name.as_str();
        let found = |talk: &FakeConversation| {
            Ok(Resolved { target: Target::Conversation(talk.id), label: talk.label() })
        };
        if let Some(own) = all().find(|t| t.own.as_deref() == Some(name)) {
            return found(own);
        }
        let current: Vec<_> = all().filter(|t| t.own.is_none() && t.given == name).collect();
        let formerly: Vec<_> = all().filter(|t| t.formerly.as_deref() == Some(name)).collect();
        let candidates = || current.iter().chain(&formerly).map(|t| t.candidate()).collect();
        match (current.as_slice(), formerly.as_slice()) {
            ([one], []) => found(one),
            ([], []) => match all().find(|t| t.id.is_meant_by(name)) {
                Some(one) => found(one),
                None => Err(Refusal::no_such(Thing::Conversation)),
            },
            ([], _) => {
                let reason = Reason::Renamed { candidates: candidates() };
                Err(Refusal::wrong(reason, format!("nothing is called {name} now")))
            }
            _ => {
                let reason = Reason::Ambiguous { candidates: candidates() };
                Err(Refusal::wrong(reason, format!("{name} could be several")))
            }
        }
    }
}

fn status() -> Status {
    Status {
        profile: "default".into(),
        name: "alice".into(),
        online: true,
        connections: Vec::new(),
        unstored: 0,
        unacknowledged: 0,
        stays: false,
    }
}

impl Profiles for Fake {
    fn open<'a>(&'a self, _: &'a ProfileOptions) -> Opening<'a> {
        Box::pin(async { Ok(self.start()) })
    }

    fn share<'a>(&'a self, options: &'a ProfileOptions) -> Opening<'a> {
        self.open(options)
    }

    fn serve<'a>(
        &'a self,
        _: &'a ProfileOptions,
        _: bool,
        _: Box<dyn FnOnce() + Send + 'a>,
    ) -> Working<'a, ()> {
        Box::pin(async { refused() })
    }

    fn stop<'a>(&'a self, _: &'a ProfileOptions) -> Working<'a, bool> {
        Box::pin(async { refused() })
    }

    fn create(&self, _: &ProfileOptions) -> Result<PathBuf, Refusal> {
        refused()
    }

    fn exists(&self, _: &str) -> Result<bool, Refusal> {
        Ok(true)
    }

    fn directory(&self, _: &str) -> Result<PathBuf, Refusal> {
        refused()
    }

    fn config(&self, _: &str) -> Result<String, Refusal> {
        refused()
    }

    fn default_config(&self) -> &'static str {
        ""
    }

    fn set_config(&self, _: &str, _: &str, _: &str) -> Result<(), Refusal> {
        refused()
    }

    fn wipe(&self, _: &str) -> Result<(), Refusal> {
        refused()
    }

    fn backup(&self, _: &ProfileOptions, _: &Path) -> Result<(), Refusal> {
        refused()
    }

    fn restore(&self, _: &ProfileOptions, _: &Path) -> Result<(), Refusal> {
        refused()
    }
}

fn refused<T>() -> Result<T, Refusal> {
    Err(Refusal::bug("not in this story"))
}
