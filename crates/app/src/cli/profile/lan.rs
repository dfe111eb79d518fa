//! `mesh`, `nearby`, `bundle`: the local network, and boxes in a pocket.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;

use settings::{CreatePolicy, On, ProfileArgs};
use tokio::sync::mpsc;
use tokio::time::Instant;
use vault::config::LanUse;
use wire::ErrorKind;

use super::contacts::AFTERWARDS;
use super::here::{Here, printable, with};
use super::recv::tell;
use super::show::{json, note, out};
use crate::cli::args_profile::{BundleCommand, BundleInArgs, BundleOutArgs, MeshArgs, NearbyArgs};
use crate::engine::profile::{CarriedView, Command, Event, MeshView, PersonView, Reply};
use crate::exit::Failure;

/// How often people nearby are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After a bundle was read: acknowledgements are made within this time, and go into the next
/// bundle.
const AFTER_A_BUNDLE: Duration = Duration::from_secs(3);
/// What one QR code takes, characters: more cannot be read off a screen.
const QR_CHARS: usize = 1_200;
/// More codes than this nobody scans.
const MAX_CODES: usize = 64;
/// How long each code of several is shown.
const QR_TIME: Duration = Duration::from_millis(700);

/// The same profile with the local network in use, whatever its settings say of it but `only`.
fn with_lan(at: &ProfileArgs) -> ProfileArgs {
    ProfileArgs {
        lan: Some(at.lan_use().unwrap_or(LanUse::On)),
        lan_only: false,
        profile: at.profile.clone(),
    }
}

pub async fn mesh(at: &ProfileArgs, args: MeshArgs) -> Result<(), Failure> {
    let at = if args.stay { with_lan(at) } else { at.clone() };
    with(&at, CreatePolicy::Never, async |here| {
        let view = ask_mesh(here).await?;
        let end = if args.stay { None } else { Some(Instant::now() + args.time) };
        let interrupted = settings::stopped();
        tokio::pin!(interrupted);
        if args.stay {
            note(&format!("carrying for neighbours on {}; Ctrl-C ends it", interfaces(&view)));
        }
        while view.lan != "off" && end.is_none_or(|end| Instant::now() < end) {
            let until = end.unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600));
            tokio::select! {
                event = here.next_until(until) => {
                    if let Some(event @ (Event::Neighbour { .. } | Event::Notice { .. })) = event {
                        tell(&event);
                    }
                }
                () = &mut interrupted => break,
            }
        }
        show_mesh(&ask_mesh(here).await?, args.json)
    })
    .await
}

async fn ask_mesh(here: &mut Here) -> Result<MeshView, Failure> {
    match here.ask(Command::Mesh {}).await? {
        Reply::Mesh(view) => Ok(view),
        _ => {
            Err(Failure::new(ErrorKind::Bug, "another answer than asked for", "please report this"))
        }
    }
}

fn interfaces(view: &MeshView) -> String {
    if view.interfaces.is_empty() { "no interface".to_owned() } else { view.interfaces.join(", ") }
}

fn amount(carried: &CarriedView) -> String {
    format!("{} boxes, {}", carried.boxes, vault::units::show_size(carried.bytes))
}

fn show_mesh(view: &MeshView, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return json(view);
    }
    if view.lan == "off" {
        note("the local network is not used: --lan on, or `hushwing config set lan on`");
    } else {
        out(&format!("local network: {}, on {}", view.lan, interfaces(view)))?;
        for neighbour in &view.neighbours {
            let (received, given) = (amount(&neighbour.received), amount(&neighbour.given));
            out(&format!("near: {}  received {received}  given {given}", neighbour.name))?;
        }
        if view.neighbours.is_empty() {
            out("near: nobody you know")?;
        }
    }
    out(&format!("carried: ours {}, others' {}", amount(&view.ours), amount(&view.others)))
}

pub async fn nearby(at: &ProfileArgs, args: NearbyArgs) -> Result<(), Failure> {
    with(&with_lan(at), CreatePolicy::Never, async |here| {
        if args.show {
            let seconds = u32::try_from(args.time.as_secs()).unwrap_or(u32::MAX).max(1);
            here.ask(Command::Show { seconds }).await?;
            note("your name is shown to everybody on the local network until this ends");
        }
        let done = Meeting { args: &args, seen: Vec::new(), asked: Vec::new() }.run(here).await;
        here.ask(Command::Show { seconds: 0 }).await?;
        done
    })
    .await
}

/// Meeting people on the local network.
struct Meeting<'a> {
    args: &'a NearbyArgs,
    /// Keys that were told already.
    seen: Vec<String>,
    /// Knocks that wait for the person's word.
    asked: Vec<(String, String)>,
}

impl Meeting<'_> {
    async fn run(&mut self, here: &mut Here) -> Result<(), Failure> {
        let end = Instant::now() + self.args.time;
        let mut answers = self.answers();
        let interrupted = settings::stopped();
        tokio::pin!(interrupted);
        while Instant::now() < end {
            if let Some(person) = self.look(here).await? {
                return self.knock(here, person, end).await;
            }
            let next = end.min(Instant::now() + LOOK);
            tokio::select! {
                event = here.next_until(next) => {
                    if let Some(event) = event
                        && self.event(here, event).await?
                    {
                        return Ok(());
                    }
                }
                Some(line) = answers.recv() => {
                    if self.answered(here, &line).await? {
                        return Ok(());
                    }
                }
                () = &mut interrupted => return Ok(()),
            }
        }
        match &self.args.knock {
            Some(name) => Err(Failure::new(
                ErrorKind::Network,
                format!("nobody showed the name {} in time", printable(name)),
                "they have to run `hushwing nearby --show` at the same time",
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

    /// Tells who is new; whoever is to be knocked at.
    async fn look(&mut self, here: &mut Here) -> Result<Option<PersonView>, Failure> {
        let Reply::Nearby { people } = here.ask(Command::Nearby {}).await? else { return Ok(None) };
        for person in &people {
            if !self.seen.contains(&person.key) {
                self.seen.push(person.key.clone());
                if self.args.json {
                    json(person)?
                } else {
                    out(&format!("{} is near", person.name))?
                }
            }
        }
        Ok(people.into_iter().find(|p| self.args.knock.as_ref() == Some(&p.name)))
    }

    async fn knock(
        &self,
        here: &mut Here,
        person: PersonView,
        end: Instant,
    ) -> Result<(), Failure> {
        note(&format!("knocking at {}", person.name));
        let command = Command::Knock { key: person.key, name: None };
        let limit = end.saturating_duration_since(Instant::now()).max(Duration::from_secs(10));
        // The words are shown while the answer is waited for.
        let mut told = |event: Event| {
            if let Event::Knocking { words } = event {
                note(&format!("they should see these words too: {words}"));
            }
        };
        match here.ask_telling(command, limit, &mut told).await? {
            Some(Reply::Contact { name }) => {
                out(&name)?;
                note(&format!("compare the safety words: hushwing verify {name}"));
                here.settled(&[], AFTERWARDS).await
            }
            _ => Err(Failure::new(
                ErrorKind::Network,
                "nobody opened in time",
                "ask them, and knock again",
            )),
        }
    }

    /// True when somebody was let in, and that was what was wanted.
    async fn event(&mut self, here: &mut Here, event: Event) -> Result<bool, Failure> {
        match event {
            Event::Knock { knock, name, words } => {
                note(&format!("{name} knocks; they should see these words too: {words}"));
                if self.args.open.as_ref() == Some(&name) {
                    return self.open(here, knock).await;
                }
                if self.args.open.is_none() {
                    note("type `open` to let them in, or `no`");
                }
                self.asked.push((knock, name));
            }
            Event::PersonNearby {} => {}
            other => tell(&other),
        }
        Ok(false)
    }

    async fn answered(&mut self, here: &mut Here, line: &str) -> Result<bool, Failure> {
        let Some((knock, name)) = self.asked.pop() else { return Ok(false) };
        if line.trim() == "open" {
            return self.open(here, knock).await;
        }
        here.ask(Command::AnswerKnock { knock, accept: false, name: None }).await?;
        note(&format!("{name} was not let in"));
        Ok(false)
    }

    async fn open(&self, here: &mut Here, knock: String) -> Result<bool, Failure> {
        let command = Command::AnswerKnock { knock, accept: true, name: None };
        match here.ask_within(command, Duration::from_secs(60)).await? {
            Some(Reply::Contact { name }) => {
                out(&name)?;
                note(&format!("compare the safety words: hushwing verify {name}"));
                here.settled(&[], AFTERWARDS).await?;
                Ok(true)
            }
            _ => Err(Failure::new(
                ErrorKind::Network,
                "they have gone before it was done",
                "let them knock again",
            )),
        }
    }
}

pub async fn bundle(command: BundleCommand) -> Result<(), Failure> {
    match command {
        BundleCommand::Out(On { at, args }) => bundle_out(&at, args).await,
        BundleCommand::In(On { at, args }) => bundle_in(&at, args).await,
    }
}

/// A bundle needs no network.
fn without_network(at: &ProfileArgs) -> ProfileArgs {
    ProfileArgs { lan: Some(LanUse::Off), lan_only: false, profile: at.profile.clone() }
}

async fn bundle_out(at: &ProfileArgs, args: BundleOutArgs) -> Result<(), Failure> {
    let to_stdout = args.file == Path::new("-");
    let scratch = to_stdout.then(settings::scratch).transpose()?;
    let file = scratch.as_ref().map_or_else(|| args.file.clone(), |dir| dir.path().join("bundle"));
    let path = std::path::absolute(&file).unwrap_or(file);
    let command = Command::BundleOut {
        path: path.to_string_lossy().into_owned(),
        conversation: args.conversation,
    };
    let reply =
        with(&without_network(at), CreatePolicy::Never, async |here| here.ask(command).await)
            .await?;
    let Reply::Bundle { boxes, bytes, .. } = reply else { return Ok(()) };
    let read = |path: &Path| {
        std::fs::read(path).map_err(|e| {
            Failure::new(
                ErrorKind::LocalStorage,
                format!("the bundle cannot be read: {e}"),
                "try again",
            )
        })
    };
    if to_stdout {
        std::io::stdout().write_all(&read(&path)?).map_err(Failure::stdout)?;
    }
    if args.qr {
        show_codes(&read(&path)?).await?;
    }
    note(&format!(
        "{boxes} boxes, {}; they can be read by those they are for alone",
        vault::units::show_size(bytes)
    ));
    Ok(())
}

/// One code, or several in turn.
async fn show_codes(bytes: &[u8]) -> Result<(), Failure> {
    let codes = codes_of(bytes);
    if codes.len() > MAX_CODES {
        let hint = "carry the file itself";
        return Err(Failure::new(
            ErrorKind::LocalConfig,
            "the bundle is too large for QR codes",
            hint,
        ));
    }
    for code in &codes {
        crate::cli::show_qr(code);
        if codes.len() > 1 && std::io::stderr().is_terminal() {
            tokio::time::sleep(QR_TIME).await;
        }
    }
    Ok(())
}

/// A bundle as texts for QR codes: `HW1/3:` and a piece in base32 each.
fn codes_of(bytes: &[u8]) -> Vec<String> {
    let text = data_encoding::BASE32_NOPAD.encode(bytes);
    let pieces: Vec<&str> =
        text.as_bytes().chunks(QR_CHARS).filter_map(|p| std::str::from_utf8(p).ok()).collect();
    let code = |(n, piece): (usize, &&str)| format!("HW{}/{}:{piece}", n + 1, pieces.len());
    pieces.iter().enumerate().map(code).collect()
}

/// The bundle that a scanner has read, a code a line, in any order; `None` when the text is none of
/// ours.
fn of_codes(text: &[u8]) -> Option<Result<Vec<u8>, Failure>> {
    let text = std::str::from_utf8(text).ok().filter(|t| t.starts_with("HW"))?;
    let wrong =
        |what: String| Failure::new(ErrorKind::LocalConfig, what, "scan every code, one a line");
    let mut pieces: Vec<Option<&str>> = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let parsed =
            line.strip_prefix("HW").and_then(|l| l.split_once(':')).and_then(|(at, piece)| {
                let (n, of) = at.split_once('/')?;
                Some((n.parse::<usize>().ok()?, of.parse::<usize>().ok()?, piece))
            });
        let Some((n, of, piece)) =
            parsed.filter(|(n, of, _)| (1..=*of).contains(n) && *of <= MAX_CODES)
        else {
            return Some(Err(wrong("a line is no code of a bundle".to_owned())));
        };
        pieces.resize(of.max(pieces.len()), None);
        if let Some(place) = pieces.get_mut(n - 1) {
            *place = Some(piece);
        }
    }
    if let Some(missing) = pieces.iter().position(Option::is_none) {
        return Some(Err(wrong(format!("code {} of {} is missing", missing + 1, pieces.len()))));
    }
    let whole: String = pieces.into_iter().flatten().collect();
    let decoded = data_encoding::BASE32_NOPAD.decode(whole.as_bytes());
    Some(decoded.map_err(|_| wrong("the codes do not belong together".to_owned())))
}

async fn bundle_in(at: &ProfileArgs, args: BundleInArgs) -> Result<(), Failure> {
    let from_stdin = args.file == Path::new("-");
    let fail = |e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("the bundle cannot be read: {e}"),
            "give it a bundle",
        )
    };
    let mut scratch = from_stdin.then(settings::scratch).transpose()?;
    let mut file =
        scratch.as_ref().map_or_else(|| args.file.clone(), |dir| dir.path().join("bundle"));
    if from_stdin {
        let mut file = std::fs::File::create(&file).map_err(fail)?;
        std::io::copy(&mut std::io::stdin().lock().take(1 << 32), &mut file).map_err(fail)?;
    }
    let mut head = Vec::new();
    let limit = u64::try_from(2 * MAX_CODES * QR_CHARS).unwrap_or(u64::MAX);
    std::fs::File::open(&file).and_then(|f| f.take(limit).read_to_end(&mut head)).map_err(fail)?;
    if let Some(bundle) = of_codes(&head) {
        let dir = settings::scratch()?;
        file = dir.path().join("bundle");
        std::fs::write(&file, bundle?).map_err(fail)?;
        scratch = Some(dir);
    }
    let path = std::path::absolute(&file).unwrap_or(file).to_string_lossy().into_owned();
    let done = with(&without_network(at), CreatePolicy::Never, async |here| {
        let Reply::Bundle { boxes, new, bytes } = here.ask(Command::BundleIn { path }).await?
        else {
            return Ok(());
        };
        note(&format!("{boxes} boxes, {new} of them new, {}", vault::units::show_size(bytes)));
        let end = Instant::now() + AFTER_A_BUNDLE.min(args.patience.timeout);
        while let Some(event) = here.next_until(end).await {
            match event {
                Event::Message { message } if !message.you => out(&super::show::dated(&message))?,
                other => tell(&other),
            }
        }
        Ok(())
    })
    .await;
    drop(scratch);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_goes_through_codes_in_any_order_and_a_missing_one_is_named() {
        let bundle: Vec<u8> = (0..3_000_u32).map(|n| n.to_be_bytes()[3]).collect();
        let mut codes = codes_of(&bundle);
        assert_eq!(codes.len(), 4);
        codes.reverse();
        assert_eq!(of_codes(codes.join("\n").as_bytes()).unwrap().unwrap(), bundle);
        let lost = codes.remove(1);
        assert!(lost.starts_with("HW3/4:"));
        assert!(
            of_codes(codes.join("\n").as_bytes())
                .unwrap()
                .unwrap_err()
                .to_string()
                .contains("code 3 of 4")
        );
        assert!(
            of_codes(b"HW9/4:AAAA").unwrap().is_err() && of_codes(b"HW nonsense").unwrap().is_err()
        );
        assert!(of_codes(b"hushwing bundle\x01").is_none());
    }
}
