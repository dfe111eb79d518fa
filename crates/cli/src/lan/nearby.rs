//! `lan nearby`: meeting people on the local network.

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use api::{
    AcceptKnock, Event, Failure, Knock, KnockId, ListNearby, PersonView, RefuseKnock, ShowNearby,
};
use clap::Args;
use settings::{ProfileArgs, duration};
use text::{json, note, out, printable};
use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::ErrorKind;

use super::with_lan;
use crate::follow::tell;
use crate::invite::met;
use crate::session::{ProfileSession, SharedProfiles, with};

/// How often people nearby are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Digits of a key that people see and type.
const KEY_DIGITS: usize = 8;

/// Arguments of `lan nearby`.
#[derive(Debug, Clone, Args)]
pub struct NearbyArgs {
    /// Show your name to everyone on the local network, so that others can knock.
    #[arg(long)]
    pub show: bool,
    /// Knock at the person with this name or key, and wait for their answer.
    #[arg(long, value_name = "NAME")]
    pub knock: Option<String>,
    /// Accept the first person who knocks with this name (otherwise the terminal asks you).
    #[arg(long, value_name = "NAME", requires = "show")]
    pub open: Option<String>,
    /// How long, such as 2m.
    #[arg(long = "for", value_name = "TIME", default_value = "2m", value_parser = duration)]
    pub time: Duration,
    /// Print JSON, one object per line.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: NearbyArgs,
) -> Result<(), Failure> {
    with(profiles, &with_lan(at), async |session| {
        if args.show {
            let seconds = u32::try_from(args.time.as_secs()).unwrap_or(u32::MAX).max(1);
            session.ask(ShowNearby { seconds }).await?;
            note("everyone on the local network can see your name while this command runs");
        }
        let done = Meeting { args: &args, seen: Vec::new(), asked: Vec::new() }.run(session).await;
        session.ask(ShowNearby { seconds: 0 }).await?;
        done
    })
    .await
}

struct Meeting<'a> {
    args: &'a NearbyArgs,
    /// Keys that were told already.
    seen: Vec<String>,
    /// Knocks that wait for the person's word, with their names.
    asked: Vec<(KnockId, String)>,
}

impl Meeting<'_> {
    async fn run(&mut self, session: &mut ProfileSession) -> Result<(), Failure> {
        let end = Instant::now() + self.args.time;
        let mut answers = self.answers();
        let interrupted = settings::stopped();
        tokio::pin!(interrupted);
        while Instant::now() < end {
            if let Some(person) = self.look(session).await? {
                return self.knock(session, person, end).await;
            }
            let next = end.min(Instant::now() + LOOK);
            tokio::select! {
                event = session.next_until(next) => {
                    if let Some(event) = event
                        && self.event(session, event).await?
                    {
                        return Ok(());
                    }
                }
                Some(line) = answers.recv() => {
                    if self.answered(session, &line).await? {
                        return Ok(());
                    }
                }
                () = &mut interrupted => return Ok(()),
            }
        }
        match &self.args.knock {
            Some(name) => Err(Failure::new(
                ErrorKind::Network,
                format!("nobody named {} became visible in time", printable(name)),
                "they must run `hushwing lan nearby --show` at the same time",
            )),
            None => Ok(()),
        }
    }

    /// Lines that a person types, while there may be something to answer.
    fn answers(&self) -> mpsc::Receiver<String> {
        let (lines, typed) = mpsc::channel(8);
        if self.args.show && self.args.open.is_none() && std::io::stdin().is_terminal() {
            std::thread::spawn(move || {
                for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                    if lines.blocking_send(line).is_err() {
                        return;
                    }
                }
            });
        }
        typed
    }

    /// Tells who is new; returns the person to knock at.
    async fn look(&mut self, session: &mut ProfileSession) -> Result<Option<PersonView>, Failure> {
        let people = session.ask(ListNearby {}).await?;
        for person in &people {
            if !self.seen.contains(&person.key) {
                self.seen.push(person.key.clone());
                if self.args.json {
                    json(person)?;
                } else {
                    out(&line_of(person))?;
                }
            }
        }
        match &self.args.knock {
            Some(wanted) => whom(wanted, people),
            None => Ok(None),
        }
    }

    async fn knock(
        &self,
        session: &mut ProfileSession,
        person: PersonView,
        end: Instant,
    ) -> Result<(), Failure> {
        note(&format!("knocking at {}", person.name));
        let limit = end.saturating_duration_since(Instant::now()).max(Duration::from_secs(10));
        // The words are shown while the answer is waited for.
        let mut told = |event: Event| {
            if let Event::Knocking { words } = event {
                note(&format!("they should see these words too: {words}"));
            }
        };
        let knock = Knock { key: person.key, name: None };
        match session.ask_telling(knock, limit, &mut told).await? {
            Some(opened) => met(session, opened).await,
            None => Err(Failure::new(
                ErrorKind::Network,
                "nobody answered in time",
                "ask them, and knock again",
            )),
        }
    }

    /// True when somebody was accepted, and that was what was wanted.
    async fn event(&mut self, session: &mut ProfileSession, event: Event) -> Result<bool, Failure> {
        match event {
            Event::Knock { knock, name, words } => {
                note(&format!("{name} knocks; they should see these words too: {words}"));
                if self.args.open.as_ref() == Some(&name) {
                    return self.open(session, knock).await;
                }
                if self.args.open.is_none() {
                    note("type `open` to accept, or `no` to decline");
                }
                self.asked.push((knock, name));
            }
            Event::PersonNearby {} => {}
            other => tell(&other),
        }
        Ok(false)
    }

    async fn answered(
        &mut self,
        session: &mut ProfileSession,
        line: &str,
    ) -> Result<bool, Failure> {
        let Some((knock, name)) = self.asked.pop() else { return Ok(false) };
        if line.trim() == "open" {
            return self.open(session, knock).await;
        }
        session.ask(RefuseKnock { knock }).await?;
        note(&format!("declined {name}"));
        Ok(false)
    }

    async fn open(&self, session: &mut ProfileSession, knock: KnockId) -> Result<bool, Failure> {
        let accept = AcceptKnock { knock, name: None };
        match session.ask_within(accept, Duration::from_secs(60)).await? {
            Some(opened) => {
                met(session, opened).await?;
                Ok(true)
            }
            None => Err(Failure::new(
                ErrorKind::Network,
                "they left before it was done",
                "ask them to knock again",
            )),
        }
    }
}

fn line_of(person: &PersonView) -> String {
    let key = person.key.get(..KEY_DIGITS).unwrap_or(&person.key);
    format!("{} is visible  ({key})", person.name)
}

/// The one person with this name or key. Anybody can show any name: two with one name are told
/// apart by their keys.
fn whom(wanted: &str, people: Vec<PersonView>) -> Result<Option<PersonView>, Failure> {
    let by_key = |p: &PersonView| wanted.len() >= KEY_DIGITS && p.key.starts_with(wanted);
    let mut fits: Vec<PersonView> =
        people.into_iter().filter(|p| p.name == wanted || by_key(p)).collect();
    let Some(one) = fits.pop() else { return Ok(None) };
    if fits.is_empty() {
        return Ok(Some(one));
    }
    fits.push(one);
    let lines: Vec<String> = fits.iter().map(|p| format!("\n  {}", line_of(p))).collect();
    Err(Failure::new(
        ErrorKind::LocalConfig,
        format!("several people show the name {}:{}", printable(wanted), lines.concat()),
        "ask them for their keys, and knock at one of these",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_with_one_name_the_key_tells_who_is_meant() {
        let person = |name: &str, digit: &str| PersonView {
            name: name.into(),
            key: digit.repeat(64),
            ago_ms: 0,
        };
        let all = || vec![person("bob", "a"), person("bob", "b"), person("eve", "c")];
        let refused = whom("bob", all()).unwrap_err().to_string();
        assert!(refused.contains("aaaaaaaa") && refused.contains("bbbbbbbb"), "{refused}");
        assert_eq!(whom("bbbbbbbb", all()).unwrap(), Some(person("bob", "b")));
        assert_eq!(whom("eve", all()).unwrap(), Some(person("eve", "c")));
        assert_eq!(whom("zoe", all()).unwrap(), None);
    }
}
