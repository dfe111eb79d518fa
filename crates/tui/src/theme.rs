//! Colours, or none.

use ratatui::style::{Color, Modifier, Style};

/// A set of colours by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// For dark terminals.
    Dark,
    /// For light terminals.
    Light,
    /// Muted blues.
    Nord,
    /// White, black, yellow, and nothing faint.
    Contrast,
    /// No colours: bold and reverse only.
    Plain,
}

impl Theme {
    /// All that a person can choose.
    pub(crate) const ALL: [Theme; 4] = [Theme::Dark, Theme::Light, Theme::Nord, Theme::Contrast];

    /// From its word.
    #[must_use]
    pub(crate) fn parse(word: &str) -> Option<Theme> {
        Theme::ALL.into_iter().find(|t| t.word() == word)
    }

    /// Its word in settings.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Theme::Dark => "dark",
            Theme::Light => "light",
            Theme::Nord => "nord",
            Theme::Contrast => "contrast",
            Theme::Plain => "plain",
        }
    }

    /// How something of this role looks.
    #[must_use]
    pub(crate) fn style(self, role: Role) -> Style {
        let plain = Style::new();
        match self {
            Theme::Plain => without_colours(role),
            Theme::Contrast => match role {
                Role::Text | Role::Dim | Role::Line => plain.fg(Color::White).bg(Color::Black),
                Role::Strong | Role::Title => {
                    plain.fg(Color::White).bg(Color::Black).add_modifier(Modifier::BOLD)
                }
                Role::Accent | Role::You | Role::Unread | Role::Good => {
                    plain.fg(Color::LightYellow).bg(Color::Black).add_modifier(Modifier::BOLD)
                }
                Role::Bad => {
                    plain.fg(Color::Black).bg(Color::LightYellow).add_modifier(Modifier::BOLD)
                }
                Role::Chosen | Role::Bar => {
                    plain.fg(Color::Black).bg(Color::White).add_modifier(Modifier::BOLD)
                }
            },
            _ => self.coloured(role),
        }
    }

    fn coloured(self, role: Role) -> Style {
        let c = self.colours();
        let plain = Style::new();
        match role {
            Role::Text => plain.fg(c.text),
            Role::Dim | Role::Line => plain.fg(c.dim),
            Role::Strong => plain.fg(c.text).add_modifier(Modifier::BOLD),
            Role::Title | Role::Accent => plain.fg(c.accent).add_modifier(Modifier::BOLD),
            Role::You => plain.fg(c.you).add_modifier(Modifier::BOLD),
            Role::Unread => plain.fg(c.warm).add_modifier(Modifier::BOLD),
            Role::Good => plain.fg(c.good),
            Role::Bad => plain.fg(c.bad).add_modifier(Modifier::BOLD),
            Role::Chosen => plain.fg(c.text).bg(c.chosen),
            Role::Bar => plain.fg(c.text).bg(c.bar),
        }
    }

    /// The colour of somebody's name: always the same.
    #[must_use]
    pub(crate) fn name(self, name: &str) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let names: &[Color] = match self {
            Theme::Plain => return bold,
            Theme::Contrast => return self.style(Role::Strong),
            Theme::Light => &[
                Color::Blue,
                Color::Magenta,
                Color::Rgb(0x9a, 0x3c, 0x00),
                Color::Rgb(0x00, 0x6a, 0x6a),
            ],
            Theme::Nord => &[
                Color::Rgb(0x8f, 0xbc, 0xbb),
                Color::Rgb(0xd0, 0x87, 0x70),
                Color::Rgb(0xb4, 0x8e, 0xad),
                Color::Rgb(0xeb, 0xcb, 0x8b),
            ],
            Theme::Dark => {
                &[Color::LightCyan, Color::LightMagenta, Color::LightYellow, Color::LightBlue]
            }
        };
        let sum =
            name.bytes().fold(7_usize, |s, b| s.wrapping_mul(31).wrapping_add(usize::from(b)));
        names.get(sum % names.len()).map_or(bold, |colour| bold.fg(*colour))
    }

    const fn colours(self) -> Colours {
        match self {
            Theme::Light => Colours {
                text: Color::Black,
                dim: Color::Rgb(0x60, 0x60, 0x60),
                accent: Color::Blue,
                you: Color::Rgb(0x00, 0x60, 0x20),
                warm: Color::Rgb(0xa8, 0x40, 0x00),
                good: Color::Rgb(0x00, 0x60, 0x20),
                bad: Color::Rgb(0xb0, 0x00, 0x20),
                chosen: Color::Rgb(0xc8, 0xdc, 0xf4),
                bar: Color::Rgb(0xe4, 0xe4, 0xe4),
            },
            Theme::Nord => Colours {
                text: Color::Rgb(0xd8, 0xde, 0xe9),
                dim: Color::Rgb(0x7b, 0x88, 0xa1),
                accent: Color::Rgb(0x88, 0xc0, 0xd0),
                you: Color::Rgb(0xa3, 0xbe, 0x8c),
                warm: Color::Rgb(0xeb, 0xcb, 0x8b),
                good: Color::Rgb(0xa3, 0xbe, 0x8c),
                bad: Color::Rgb(0xe0, 0x7b, 0x84),
                chosen: Color::Rgb(0x43, 0x4c, 0x5e),
                bar: Color::Rgb(0x3b, 0x42, 0x52),
            },
            _ => Colours {
                text: Color::Reset,
                dim: Color::Gray,
                accent: Color::LightCyan,
                you: Color::LightGreen,
                warm: Color::LightYellow,
                good: Color::LightGreen,
                bad: Color::LightRed,
                chosen: Color::Rgb(0x2c, 0x3e, 0x58),
                bar: Color::Rgb(0x28, 0x2c, 0x34),
            },
        }
    }
}

struct Colours {
    text: Color,
    dim: Color,
    accent: Color,
    you: Color,
    warm: Color,
    good: Color,
    bad: Color,
    chosen: Color,
    bar: Color,
}

/// What something on the screen is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Role {
    Text,
    Dim,
    Strong,
    Title,
    Accent,
    You,
    Unread,
    Good,
    Bad,
    /// What the keys act on.
    Chosen,
    /// The line at the bottom, and heads.
    Bar,
    /// Lines between things.
    Line,
}

fn without_colours(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Text | Role::Dim | Role::Line | Role::Good => plain,
        Role::Strong | Role::Title | Role::Accent | Role::You | Role::Unread | Role::Bad => {
            plain.add_modifier(Modifier::BOLD)
        }
        Role::Chosen | Role::Bar => plain.add_modifier(Modifier::REVERSED),
    }
}
