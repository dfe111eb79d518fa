//! What forms do. Each answers with a way to a page, which says how it went.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::post;

use super::Web;
use super::door::{Flash, Session, set_cookie};
use super::form::Sent;
use super::pages::{self, Cx, at};
use super::trouble::Trouble;
use crate::engine::profile::{Command, Reply};

type Done = Result<Response, Trouble>;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/first", post(first))
        .route("/name", post(name))
        .route("/accept", post(accept))
        .route("/invite", post(invite))
        .route("/revoke", post(revoke))
        .route("/group", post(group))
        .route("/group/answer", post(group_answer))
        .route("/room", post(room))
        .route("/c/{name}/{act}", post(talk))
        .route("/r/{name}/{act}", post(in_room))
        .route("/near/{act}", post(near))
        .route("/settings/set", post(set))
        .route("/theme", post(theme))
        .route("/notices/clear", post(clear))
        .route("/another", post(another))
        .route("/out", post(out))
        .route("/quit", post(quit))
}

impl Web {
    fn to(&self, path: &str) -> Response {
        Redirect::to(&format!("{}{path}", self.base)).into_response()
    }

    /// Does it, says how it went, and leads on.
    async fn act(&self, session: &Session, command: Command, said: &str, path: &str) -> Done {
        self.tell(session, self.ask(command).await.map(|_| said));
        Ok(self.to(path))
    }

    fn tell(&self, session: &Session, done: Result<&str, Trouble>) {
        match done {
            Ok("") => {}
            Ok(text) => session.say(text),
            Err(trouble) => session.flash(Flash { text: trouble.line(), error: true }),
        }
    }

    /// Uses a link of either kind; where it leads.
    async fn use_link(
        &self,
        link: &str,
        name: Option<String>,
        nick: Option<String>,
    ) -> Result<String, Trouble> {
        let link = link.split_whitespace().collect::<String>();
        let room = link.starts_with("hushwing:room") || link.starts_with("hushwing:owner");
        let command = match room {
            true => Command::JoinRoom { link, name, nick, route: None },
            false => Command::Accept { link, name },
        };
        match self.ask(command).await? {
            Reply::Room(room) => Ok(at("r", &room.name)),
            Reply::Contact { name } => Ok(at("c", &name)),
            _ => Err(pages::bug()),
        }
    }

    /// Makes a group, and leads to what there is to set about it; back to `otherwise` when it is
    /// refused.
    async fn opened(&self, session: &Session, command: Command, otherwise: &str) -> Response {
        match self.ask(command).await {
            Ok(Reply::Contact { name }) => self.to(&format!("{}/about", at("c", &name))),
            other => {
                self.tell(session, other.map(|_| ""));
                self.to(otherwise)
            }
        }
    }

    /// Uses a link, and leads to whom or where it belongs.
    async fn follow(
        &self,
        session: &Session,
        link: &str,
        name: Option<String>,
        nick: Option<String>,
    ) -> Response {
        let used = self.use_link(link, name, nick).await;
        used.map(|path| self.to(&path)).unwrap_or_else(|trouble| {
            self.tell(session, Err(trouble));
            self.to("new")
        })
    }
}

async fn first(State(web): State<Arc<Web>>, form: Sent) -> Done {
    let name = form.get("name").trim().to_owned();
    web.tell(&form.session, web.ask(Command::SetName { name: name.clone() }).await.map(|_| ""));
    match form.some("link") {
        Some(link) => Ok(web.follow(&form.session, &link, None, Some(name)).await),
        None => Ok(web.to("new")),
    }
}

async fn name(State(web): State<Arc<Web>>, form: Sent) -> Done {
    let name = form.get("name").trim().to_owned();
    web.act(&form.session, Command::SetName { name }, "saved", "settings").await
}

async fn accept(State(web): State<Arc<Web>>, form: Sent) -> Done {
    Ok(web.follow(&form.session, form.get("link"), form.some("name"), None).await)
}

/// An invite is shown when it is ready, which the hub decides: the page does not wait for that.
async fn invite(State(web): State<Arc<Web>>, form: Sent) -> Done {
    let command = Command::Invite {
        name: form.some("name"),
        my_name: form.some("my_name"),
        expires_s: None,
        network: None,
    };
    let (waiting, session) = (web.clone(), form.session.clone());
    let made = tokio::spawn(async move { waiting.ask(command).await });
    match tokio::time::timeout(std::time::Duration::from_secs(3), made).await {
        Ok(Ok(done)) => web.tell(&session, done.map(|_| "the link works now")),
        Ok(Err(_)) => web.tell(&session, Err(pages::bug())),
        Err(_) => web.tell(&session, Ok("the link will work as soon as the hub has it")),
    }
    Ok(web.to("new#invites"))
}

async fn revoke(State(web): State<Arc<Web>>, form: Sent) -> Done {
    let command = Command::Revoke { invite: form.get("invite").to_owned() };
    web.act(&form.session, command, "the link is taken back", "new#invites").await
}

async fn group(State(web): State<Arc<Web>>, form: Sent) -> Done {
    let command = Command::CreateGroup { title: form.get("title").trim().to_owned() };
    Ok(web.opened(&form.session, command, "new").await)
}

async fn group_answer(State(web): State<Arc<Web>>, form: Sent) -> Done {
    let accept = form.get("accept") == "1";
    let command = Command::AnswerGroupInvite { token: form.get("token").to_owned(), accept };
    let said =
        if accept { "the group opens as soon as a member has let you in" } else { "refused" };
    web.act(&form.session, command, said, "./").await
}

async fn room(State(web): State<Arc<Web>>, form: Sent) -> Done {
    let command =
        Command::CreateRoom { name: form.some("name"), nick: form.some("nick"), network: None };
    match web.ask(command).await {
        Ok(Reply::Room(room)) => Ok(web.to(&at("r", &room.name))),
        other => {
            web.tell(&form.session, other.map(|_| ""));
            Ok(web.to("new"))
        }
    }
}

/// `POST c/NAME/ACT`
async fn talk(
    State(web): State<Arc<Web>>,
    Path((name, act)): Path<(String, String)>,
    form: Sent,
) -> Done {
    let here = at("c", &name);
    let end = format!("{here}#end");
    let about = format!("{here}/about");
    let (conversation, message) = (name.clone(), form.get("m").to_owned());
    let (command, said, then) = match act.as_str() {
        "send" => return send(&web, &form, &name, &here).await,
        "react" => {
            let (then, remove) = (format!("{here}#m{message}"), form.get("remove") == "1");
            (
                Command::React {
                    conversation,
                    message,
                    emoji: form.get("emoji").to_owned(),
                    remove,
                },
                "",
                then,
            )
        }
        "delete" => (Command::Delete { conversation, message }, "", end),
        "cancel" => (Command::Cancel { conversation, message }, "taken back", end),
        "fetch" => {
            (Command::AcceptFile { transfer: form.get("f").to_owned(), directory: None }, "", end)
        }
        "refuse" => (Command::CancelFile { transfer: form.get("f").to_owned() }, "", end),
        "timer" => {
            let seconds =
                form.get("seconds").parse().map_err(|_| Trouble::wrong("this is no time"))?;
            (Command::SetTimer { conversation, seconds }, "set, for all", about)
        }
        "floor" => return set_floor(&web, &form, name, &about).await,
        "verify" => (
            Command::Verify { conversation, verified: form.get("verified") == "1" },
            "noted",
            about,
        ),
        "name" => {
            let new = form.get("name").trim().to_owned();
            let renamed = web.ask(Command::Name { conversation, name: new.clone() }).await;
            let name = if renamed.is_ok() { new } else { name };
            web.tell(&form.session, renamed.map(|_| "renamed"));
            return Ok(web.to(&format!("{}/about", at("c", &name))));
        }
        "title" => (
            Command::RenameGroup { group: name, title: form.get("title").trim().to_owned() },
            "set, for all",
            about,
        ),
        "add" => {
            let contact = form.get("contact").to_owned();
            (Command::InviteToGroup { group: name, contact }, "they are invited", about)
        }
        "remove" => (
            Command::RemoveMember { group: name, member: form.get("member").to_owned() },
            "removed",
            about,
        ),
        "refresh" => (Command::Refresh { conversation }, "new keys are on their way", about),
        "check" => (
            Command::CheckOn { conversation },
            "looking whether somebody has lost their place",
            about,
        ),
        "restart" => {
            let command =
                Command::RestartGroup { group: name, without: form.get("member").to_owned() };
            return Ok(web.opened(&form.session, command, &about).await);
        }
        "leave" => (Command::Leave { conversation }, "left", end),
        "forget" => {
            (Command::Forget { conversation }, "removed from this profile", "./".to_owned())
        }
        _ => return Err(Trouble::none("there is nothing here")),
    };
    web.act(&form.session, command, said, &then).await
}

/// What both sides have agreed on holds: a floor can be raised from here alone, and lowered no
/// further than that.
async fn set_floor(web: &Web, form: &Sent, conversation: String, about: &str) -> Done {
    let floor = form.get("floor").to_owned();
    let done =
        web.ask(Command::Floor { conversation: conversation.clone(), floor: floor.clone() }).await;
    let Reply::Conversations { conversations } = web.ask(Command::Conversations {}).await? else {
        return Err(pages::bug());
    };
    let now = conversations
        .into_iter()
        .find(|c| c.name == conversation)
        .map(|c| c.floor)
        .unwrap_or_default();
    let held = format!("it stays at {now}: the conversation was begun with that");
    web.tell(
        &form.session,
        done.map(|_| if now == floor { "set, from here" } else { held.as_str() }),
    );
    Ok(web.to(about))
}

async fn send(web: &Web, form: &Sent, name: &str, here: &str) -> Done {
    let text = form.get("text").to_owned();
    let command = match form.some("edit") {
        Some(message) => {
            Command::Edit { conversation: name.to_owned(), message, text: text.clone() }
        }
        None => Command::Send {
            to: name.to_owned(),
            text: text.clone(),
            reply_to: form.some("reply_to"),
        },
    };
    if let Err(trouble) = web.ask(command).await {
        // What was typed is not lost.
        form.session.keep_draft(here, &text);
        web.tell(&form.session, Err(trouble));
    }
    Ok(web.to(&format!("{here}#end")))
}

/// `POST r/NAME/ACT`
async fn in_room(
    State(web): State<Arc<Web>>,
    Path((name, act)): Path<(String, String)>,
    form: Sent,
) -> Done {
    let here = at("r", &name);
    let about = format!("{here}/about");
    let room = name;
    let (command, said, then) = match act.as_str() {
        "say" => {
            let text = form.get("text").to_owned();
            if let Err(trouble) = web.ask(Command::Say { room, text: text.clone() }).await {
                form.session.keep_draft(&here, &text);
                web.tell(&form.session, Err(trouble));
            }
            return Ok(web.to(&format!("{here}#end")));
        }
        "nick" => (Command::RoomNick { room, nick: form.get("nick").trim().to_owned() }, "", about),
        "route" => (Command::RoomRoute { room, route: form.get("route").to_owned() }, "", about),
        "mute" => {
            let muted = form.get("muted") == "1";
            (Command::RoomMute { room, name: form.get("name").to_owned(), muted }, "", about)
        }
        "circuits" => (Command::RoomCircuits { room }, "moving to new circuits", about),
        "rekey" => {
            let names = form.fields.all("keep");
            (
                Command::RoomRekey { room, names },
                "new keys are on their way; links from before lead nowhere",
                about,
            )
        }
        "leave" => (
            Command::LeaveRoom { room },
            "you leave as soon as what you said is stored",
            "./".to_owned(),
        ),
        _ => return Err(Trouble::none("there is nothing here")),
    };
    web.act(&form.session, command, said, &then).await
}

/// `POST near/ACT`
async fn near(State(web): State<Arc<Web>>, Path(act): Path<String>, form: Sent) -> Done {
    let (command, said) = match act.as_str() {
        "show" => {
            let seconds =
                form.get("seconds").parse().map_err(|_| Trouble::wrong("this is no time"))?;
            (Command::Show { seconds }, if seconds == 0 { "hidden" } else { "you are shown" })
        }
        "answer" => {
            let (knock, accept) = (form.get("knock").to_owned(), form.get("accept") == "1");
            web.live.answered(&knock);
            (Command::AnswerKnock { knock, accept, name: None }, "answered")
        }
        "knock" => {
            // The answer takes as long as a person does.
            let (waiting, session, key) =
                (web.clone(), form.session.clone(), form.get("key").to_owned());
            tokio::spawn(async move {
                let done = waiting.ask(Command::Knock { key, name: None }).await;
                waiting.tell(&session, done.map(|_| "they have let you in"));
            });
            form.session.say("knocking: compare the words below with theirs");
            return Ok(web.to("near"));
        }
        _ => return Err(Trouble::none("there is nothing here")),
    };
    web.act(&form.session, command, said, "near").await
}

async fn set(State(web): State<Arc<Web>>, form: Sent) -> Done {
    let key = form.get("key").to_owned();
    let done = web
        .ask(Command::Set { key: key.clone(), value: form.get("value").trim().to_owned() })
        .await;
    let done = done.map(|reply| match reply {
        Reply::Set { restart: true } => "saved; it counts after the profile was started again",
        _ => "saved",
    });
    web.tell(&form.session, done);
    Ok(web.to(&format!("settings#set-{key}")))
}

/// The theme is the browser's own: it keeps it.
async fn theme(State(web): State<Arc<Web>>, form: Sent) -> Done {
    let known = pages::THEMES.iter().find(|(name, _)| *name == form.get("theme"));
    let (theme, _) = known.ok_or_else(|| Trouble::wrong("there is no such theme"))?;
    let cookie =
        format!("theme={theme}; Path={}; HttpOnly; SameSite=Strict; Max-Age=31536000", web.base);
    Ok(([(SET_COOKIE, cookie)], web.to("settings")).into_response())
}

async fn clear(State(web): State<Arc<Web>>, _form: Sent) -> Done {
    web.live.clear_notices();
    Ok(web.to("./"))
}

/// A code for another browser, shown once.
async fn another(
    cx: Cx,
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    _form: Sent,
) -> Result<Html<String>, Trouble> {
    let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or_default();
    let code = web.code();
    pages::another(&cx, &format!("http://{host}/#{code}"), &code)
}

async fn out(State(web): State<Arc<Web>>, headers: HeaderMap, _form: Sent) -> Done {
    web.doors.leave(&headers);
    let gone = set_cookie(&web, "", Some(0));
    Ok(([(SET_COOKIE, gone)], Redirect::to("/")).into_response())
}

async fn quit(State(web): State<Arc<Web>>, _form: Sent) -> Done {
    web.doors.quit();
    let body =
        maud::html! { h1 { "Hushwing's web face has ended" } p { "You can close this window." } };
    Ok((StatusCode::OK, pages::bare("Ended", &body)).into_response())
}
