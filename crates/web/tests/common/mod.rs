//! A browser that drives the site, and an engine that answers from a list and remembers what it was
//! asked.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use api::{
    AllowedRoutes, Call, CarriedView, Client, ConversationId, ConversationKind, ConversationView,
    Event, FileView, LanMode, MemberId, MemberView, MeshView, MessageId, MessageKind, MessageState,
    MessageView, Refusal, RoomId, RoomLineView, RoomView, Route, Status, TalkerId, TalkerView,
};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt;
use web::{Logins, Web};

const HOST: &str = "127.0.0.1:42069";
pub const BASE: &str = "/secret/";

pub fn conversation_id(n: u8) -> ConversationId {
    ConversationId::new([n; 16])
}

/// What the engine has, and how it answers.
#[derive(Default)]
pub struct World {
    pub name: String,
    pub conversations: Vec<ConversationView>,
    pub members: Vec<MemberView>,
    pub history: Vec<MessageView>,
    pub rooms: Vec<RoomView>,
    pub lines: Vec<RoomLineView>,
    pub files: Vec<FileView>,
    /// What it answers to other methods.
    pub replies: HashMap<&'static str, Value>,
    /// Methods that it refuses.
    pub refusals: HashMap<&'static str, Refusal>,
    /// What it was asked to do.
    pub asked: Vec<(&'static str, Value)>,
}

impl World {
    /// Others give a conversation another title.
    pub fn rename(&mut self, id: ConversationId, label: &str) {
        let found = self.conversations.iter_mut().find(|c| c.id == id).unwrap();
        (found.label, found.title) = (label.to_owned(), label.to_owned());
    }

    fn answer(&mut self, method: &'static str, params: &Value) -> Result<Value, Refusal> {
        if let Some(refusal) = self.refusals.get(method) {
            return Err(refusal.clone());
        }
        if let Some(reply) = self.replies.get(method) {
            return Ok(reply.clone());
        }
        let status = Status {
            profile: "alice".to_owned(),
            name: self.name.clone(),
            online: true,
            connections: Vec::new(),
            unstored: 0,
            unacknowledged: 0,
            stays: false,
        };
        Ok(match method {
            "status" => json!(status),
            "conversations" => json!(self.conversations),
            "members" => json!(self.members),
            "history" | "search" => {
                let of = |m: &&MessageView| {
                    params["conversation"]
                        .as_str()
                        .is_none_or(|id| id == m.conversation.to_string())
                };
                json!(self.history.iter().filter(of).collect::<Vec<_>>())
            }
            "rooms" => json!(self.rooms),
            "room_history" => json!(self.lines),
            "files" => json!(self.files),
            "group_invites" | "invites" | "networks" | "settings" | "nearby" => json!([]),
            "history_after" => json!([]),
            "send" | "send_file" => json!({ "message": MessageId::new([9; 16]) }),
            "safety_words" => json!({ "words": "one two three", "verified": false }),
            "set" => json!({ "restart": false }),
            "mesh" => {
                let none = CarriedView { boxes: 0, bytes: 0 };
                let (interfaces, neighbours) = (Vec::new(), Vec::new());
                let (ours, others) = (none, none);
                json!(MeshView { lan: LanMode::On, interfaces, neighbours, ours, others })
            }
            _ => json!({}),
        })
    }
}

/// The site with a fake engine behind it.
pub struct Site {
    router: Router,
    pub web: Arc<Web>,
    pub world: Arc<Mutex<World>>,
    /// What the engine tells by itself.
    pub events: mpsc::Sender<Event>,
    pub dir: tempfile::TempDir,
}

impl Site {
    pub fn new(world: World) -> Self {
        let (calls, mut asked) = mpsc::channel::<Call>(8);
        let world = Arc::new(Mutex::new(World { name: "alice".to_owned(), ..world }));
        let answers = world.clone();
        tokio::spawn(async move {
            while let Some(call) = asked.recv().await {
                let written = call.write();
                let mut world = answers.lock().unwrap();
                world.asked.push((written.method, written.params.clone()));
                let answer = world.answer(written.method, &written.params);
                drop(world);
                (written.answer)(answer);
            }
        });
        let (events, told) = mpsc::channel(8);
        let dir = tempfile::tempdir().unwrap();
        let client = Client::new(calls, None);
        let web = Web::new(client, told, dir.path().to_owned(), "secret", Logins::new(None));
        let router = web::router(web.clone(), vec![HOST.to_owned()]);
        Site { router, web, world, events, dir }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// What the engine was asked by this method, each time.
    pub fn asked(&self, method: &str) -> Vec<Value> {
        let world = self.world();
        world.asked.iter().filter(|(m, _)| *m == method).map(|(_, params)| params.clone()).collect()
    }

    /// A browser that has logged in.
    pub async fn browser(&self) -> Browser {
        let mut browser = Browser { router: self.router.clone(), cookie: String::new() };
        let code = self.web.code();
        let page = browser.post("/login", &[("code", &code)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        browser.cookie = page.cookie;
        browser
    }

    /// A browser that has not.
    pub fn stranger(&self) -> Browser {
        Browser::new(self.router.clone())
    }
}

pub struct Browser {
    router: Router,
    cookie: String,
}

/// What came back.
pub struct Page {
    pub status: StatusCode,
    pub location: String,
    pub disposition: String,
    cookie: String,
    pub text: String,
}

/// A form as it stands on a page.
#[derive(Debug, Clone)]
pub struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

impl Browser {
    pub fn new(router: Router) -> Self {
        Browser { router, cookie: String::new() }
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let inside = format!("{BASE}{}", path.trim_start_matches("./"));
        let path = if path.starts_with('/') { path.to_owned() } else { inside };
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, HOST)
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header(header::COOKIE, format!("hushwing={}", self.cookie))
    }

    /// Loads a page, by its path from the base or from the root.
    pub async fn get(&self, path: &str) -> Page {
        Page::of(self.send(self.request("GET", path).body(Body::empty()).unwrap()).await).await
    }

    /// A response that goes on.
    pub async fn open(&self, path: &str) -> Response {
        self.send(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.post_as(path, "application/x-www-form-urlencoded", body).await
    }

    pub async fn post_as(&self, path: &str, kind: &str, body: String) -> Page {
        let request = self.request("POST", path).header(header::CONTENT_TYPE, kind);
        Page::of(self.send(request.body(body.into()).unwrap()).await).await
    }

    /// Keeps the cookie that a page has set.
    pub fn keep(&mut self, page: &Page) {
        self.cookie.clone_from(&page.cookie);
    }

    /// Sends a form with what a person typed into it.
    pub async fn submit(&self, form: &Form, typed: &[(&str, &str)]) -> Page {
        let mut fields: Vec<(&str, &str)> =
            form.hidden.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        fields.extend(typed);
        self.post(&form.action, &fields).await
    }
}

impl Page {
    async fn of(response: Response) -> Self {
        let header = |name| {
            let value = response.headers().get(name).and_then(|v| v.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (location, disposition) =
            (header(header::LOCATION), header(header::CONTENT_DISPOSITION));
        let set = header(header::SET_COOKIE);
        let cookie = set.split(';').next().unwrap_or_default().replace("hushwing=", "");
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Page { status, location, disposition, cookie, text }
    }

    /// The forms that end in this action.
    pub fn forms(&self, action: &str) -> Vec<Form> {
        let forms =
            self.text.split("<form ").skip(1).filter_map(|form| form.split("</form>").next());
        let all = forms.map(|form| {
            let inputs = form.split("<input ").skip(1).filter_map(|input| input.split('>').next());
            let hidden = inputs
                .filter(|input| input.contains(r#"type="hidden""#))
                .map(|input| (attribute(input, "name"), attribute(input, "value")));
            Form { action: attribute(form, "action"), hidden: hidden.collect() }
        });
        all.filter(|form| form.action.ends_with(action)).collect()
    }

    /// The one form that ends in this action.
    pub fn form(&self, action: &str) -> Form {
        let forms = self.forms(action);
        assert_eq!(forms.len(), 1, "{action}: {}", self.text);
        forms.into_iter().next().unwrap()
    }

    /// All values of attributes that lead somewhere, and the page's title.
    pub fn addresses(&self) -> Vec<String> {
        let mut found = vec![between(&self.text, "<title>", "</title>").to_owned()];
        for name in ["href", "action", "src", "id", "data-keep"] {
            let start = format!(" {name}=\"");
            let parts = self.text.split(&start).skip(1);
            found.extend(parts.filter_map(|p| p.split('"').next()).map(str::to_owned));
        }
        found
    }

    /// The item of the list at the side that leads there.
    pub fn item(&self, path: &str) -> &str {
        between(&self.text, &format!("href=\"{path}\""), "</li>")
    }
}

/// What stands between two texts, first found.
pub fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}"));
    rest.split(end).next().unwrap()
}

fn attribute(tag: &str, name: &str) -> String {
    let tag = format!(" {tag}");
    let value = tag.split(&format!(" {name}=\"")).nth(1).and_then(|v| v.split('"').next());
    value.unwrap_or_default().replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&")
}

pub fn conversation(n: u8, label: &str, kind: ConversationKind) -> ConversationView {
    ConversationView {
        id: conversation_id(n),
        label: label.to_owned(),
        own_name: None,
        title: label.to_owned(),
        kind,
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
        route: Some(Route::Onion),
        newest: None,
    }
}

pub fn member(n: u8, name: &str, you: bool) -> MemberView {
    MemberView {
        id: MemberId::new([n; 16]),
        name: name.to_owned(),
        you,
        contact: None,
        verified: false,
    }
}

pub fn message(n: u8, conversation: ConversationId, label: &str, text: &str) -> MessageView {
    MessageView {
        conversation,
        label: label.to_owned(),
        number: n.into(),
        id: MessageId::new([n; 16]),
        kind: MessageKind::Text,
        member: Some(MemberId::new([0x40; 16])),
        from: "mallory".to_owned(),
        you: false,
        text: text.to_owned(),
        sent_ms: 1_709_251_140_000,
        received_ms: 1_709_251_141_000,
        state: MessageState::Received,
        route: Some(Route::Onion),
        reply_to: None,
        edited: false,
        deleted: false,
        reactions: Vec::new(),
        expires_ms: None,
        file: None,
    }
}

pub fn room(n: u8, label: &str) -> RoomView {
    RoomView {
        id: RoomId::new([n; 16]),
        label: label.to_owned(),
        you: "alice".to_owned(),
        owner: true,
        online: true,
        connection: "connected".to_owned(),
        route: Route::Onion,
        people: vec![talker(0x51, "alice", true), talker(0x52, "mallory", false)],
        unseen: 0,
        newest: 0,
    }
}

pub fn talker(n: u8, name: &str, you: bool) -> TalkerView {
    let (id, name) = (TalkerId::new([n; 16]), name.to_owned());
    TalkerView { id, name, you, left: false, muted: false }
}
