//! `lan mesh`.

use std::time::Duration;

use api::{CarriedView, Event, Failure, GetMesh, LanMode, MeshView};
use clap::Args;
use settings::{ProfileArgs, duration};
use text::{bytes, json, note, out};
use tokio::time::Instant;

use super::with_lan;
use crate::follow::tell;
use crate::session::{SharedProfiles, existing, with};

/// Arguments of `lan mesh`.
#[derive(Debug, Clone, Args)]
pub struct MeshArgs {
    /// How long to look for neighbours, such as 10s.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub time: Duration,
    /// Keep running and carry messages for others until Ctrl-C.
    #[arg(long, conflicts_with = "json")]
    pub stay: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: MeshArgs,
) -> Result<(), Failure> {
    let options = if args.stay { with_lan(at) } else { existing(at) };
    with(profiles, &options, async |session| {
        let view = session.ask(GetMesh {}).await?;
        let end = if args.stay { None } else { Some(Instant::now() + args.time) };
        let interrupted = settings::stopped();
        tokio::pin!(interrupted);
        if args.stay {
            note(&format!("carrying for neighbours on {}; Ctrl-C ends it", interfaces(&view)));
        }
        while view.lan != LanMode::Off && end.is_none_or(|end| Instant::now() < end) {
            let until = end.unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600));
            tokio::select! {
                event = session.next_until(until) => {
                    if let Some(event @ (Event::Neighbour { .. } | Event::Notice { .. })) = event {
                        tell(&event);
                    }
                }
                () = &mut interrupted => break,
            }
        }
        let view = session.ask(GetMesh {}).await?;
        if args.json { json(&view) } else { show(&view) }
    })
    .await
}

fn interfaces(view: &MeshView) -> String {
    if view.interfaces.is_empty() { "no interface".to_owned() } else { view.interfaces.join(", ") }
}

fn amount(carried: &CarriedView) -> String {
    format!("{} boxes, {}", carried.boxes, bytes(carried.bytes))
}

fn show(view: &MeshView) -> Result<(), Failure> {
    if view.lan == LanMode::Off {
        note("the local network is off: use --lan on or `hushwing profile config set lan on`");
    } else {
        out(&format!("local network: {}, on {}", view.lan, interfaces(view)))?;
        for neighbour in &view.neighbours {
            let (received, given) = (amount(&neighbour.received), amount(&neighbour.given));
            out(&format!("near: {}  received {received}  given {given}", neighbour.label))?;
        }
        if view.neighbours.is_empty() {
            out("near: none of your contacts")?;
        }
    }
    out(&format!("carrying: yours {}, others' {}", amount(&view.ours), amount(&view.others)))
}
