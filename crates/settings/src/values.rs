//! Values of options that several commands share.

use clap::{Args, ValueEnum};
use hub::shaping::Span;
use mix::path::EntryPolicy;
use routes::{Route, Shaping};
use wire::document::CoverLevel;

/// Cover level on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the level's name says it")]
pub enum CoverArg {
    Off,
    Low,
    Normal,
}

/// Entry policy on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EntryArg {
    /// The same entry relay for 30 days.
    Pinned,
    /// A different one for each connection (for trials only: a pinned entry protects better).
    Random,
}

/// Route on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RouteArg {
    /// Through the relays: hides who talks to whom, and with cover traffic also when.
    Onion,
    /// TLS directly to the hub: hides only content; the hub sees your IP address.
    Direct,
    /// Through Tor to the hub: hides where you are.
    Tor,
    /// Through Tor to the first relay, then through the relays.
    #[value(name = "tor+onion")]
    TorOnion,
}

/// Confinement on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SandboxArg {
    /// As far as the kernel supports it, with a warning about the rest.
    On,
    /// Not at all.
    Off,
    /// Fully, or refuse to start.
    Require,
}

/// Sizes of boxes on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SizesArg {
    /// All boxes have 2048 bytes.
    Uniform,
    /// 512, 1024, 2048 or 4096 bytes: saves traffic, but reveals roughly how long each message is.
    Ladder,
}

/// A range of times on the command line, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanArg(pub Option<Span>);

impl std::str::FromStr for SpanArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = vault::config::span_or_off(text)
            .ok_or("use `off` or a range such as 0.5s-3s, with the shorter time first")?;
        Ok(SpanArg(span.and_then(|(from, to)| Span::new(from, to))))
    }
}

/// How traffic is shaped on a route without relays.
#[derive(Debug, Clone, Copy, Args)]
pub struct ShapingArgs {
    /// Sizes of boxes, on the routes direct and tor.
    #[arg(long, value_enum, value_name = "SIZES", default_value_t = SizesArg::Uniform)]
    pub box_sizes: SizesArg,
    /// Random delay before each box leaves, on the routes direct and tor: `off` or a range such as
    /// 0.5s-3s.
    #[arg(long, value_name = "SPAN", default_value = "off")]
    pub send_delay: SpanArg,
    /// Dummy boxes after a random idle time, on the routes direct and tor: `off` or a range such as
    /// 30s-60s.
    #[arg(long, value_name = "SPAN", default_value = "off")]
    pub dummies: SpanArg,
}

/// Where a node finds its network.
#[derive(Debug, Clone, Args)]
pub struct NetworkArgs {
    /// Network pointer `hushwing:net#…`, or a file that contains it (waits until the file exists).
    #[arg(long, value_name = "POINTER|FILE")]
    pub network: Option<String>,
    /// Admission token, or a file that contains it.
    #[arg(long, value_name = "TOKEN|FILE")]
    pub token: Option<String>,
}

impl From<CoverArg> for CoverLevel {
    fn from(arg: CoverArg) -> Self {
        match arg {
            CoverArg::Off => CoverLevel::Off,
            CoverArg::Low => CoverLevel::Low,
            CoverArg::Normal => CoverLevel::Normal,
        }
    }
}

impl From<EntryArg> for EntryPolicy {
    fn from(arg: EntryArg) -> Self {
        match arg {
            EntryArg::Pinned => EntryPolicy::Pinned,
            EntryArg::Random => EntryPolicy::Random,
        }
    }
}

impl From<ShapingArgs> for Shaping {
    fn from(args: ShapingArgs) -> Self {
        Shaping {
            sizes: match args.box_sizes {
                SizesArg::Uniform => streams::Sizes::Uniform,
                SizesArg::Ladder => streams::Sizes::Ladder,
            },
            send_delay: args.send_delay.0,
            dummies: args.dummies.0,
        }
    }
}

impl From<RouteArg> for Route {
    fn from(arg: RouteArg) -> Self {
        match arg {
            RouteArg::Onion => Route::Onion,
            RouteArg::Direct => Route::Direct,
            RouteArg::Tor => Route::Tor,
            RouteArg::TorOnion => Route::TorOnion,
        }
    }
}
