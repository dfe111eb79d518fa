//! Putting texts into cells.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use ratatui_textarea::TextArea;

use crate::cells;
use crate::state::{App, Drawn};
use crate::theme::Role;

/// A frame that is being drawn.
pub(super) struct Paint<'a, 'f, 'b> {
    /// What is shown.
    pub(super) app: &'a App,
    /// Where to.
    pub(super) frame: &'f mut Frame<'b>,
    /// What was found out.
    pub(super) drawn: Drawn,
}

impl<'a, 'f, 'b> Paint<'a, 'f, 'b> {
    /// Nothing is drawn yet.
    pub(super) fn new(app: &'a App, frame: &'f mut Frame<'b>) -> Self {
        Paint { app, frame, drawn: Drawn::default() }
    }

    /// How this looks.
    pub(super) fn style(&self, role: Role) -> Style {
        self.app.theme().style(role)
    }

    /// One line of texts, each in its role.
    pub(super) fn text(&mut self, area: Rect, parts: &[(&str, Role)]) {
        let parts: Vec<(String, Style)> =
            parts.iter().map(|(t, r)| ((*t).to_owned(), self.style(*r))).collect();
        self.styled(area, &parts);
    }

    /// One line of texts in styles. What a terminal would act on is not drawn.
    pub(super) fn styled(&mut self, area: Rect, parts: &[(String, Style)]) {
        let area = area.intersection(self.frame.area());
        let spans: Vec<Span<'_>> =
            parts.iter().map(|(t, s)| Span::styled(cells::one_line(t), *s)).collect();
        self.frame.render_widget(
            Paragraph::new(Line::from(spans)),
            Rect { height: area.height.min(1), ..area },
        );
    }

    /// Fills an area with a role's background.
    pub(super) fn fill(&mut self, area: Rect, role: Role) {
        let style = self.style(role);
        let area = area.intersection(self.frame.area());
        self.frame.buffer_mut().set_style(area, style);
    }

    /// Empties an area.
    pub(super) fn clear(&mut self, area: Rect) {
        self.frame.render_widget(Clear, area);
        self.fill(area, Role::Text);
    }

    /// A place to type, and the terminal's cursor in it if it is the one that takes the keys.
    pub(super) fn field(&mut self, area: Rect, field: &TextArea<'static>, active: bool) {
        let mut field = field.clone();
        field.set_style(self.style(Role::Text));
        field.set_selection_style(self.style(Role::Chosen));
        if !active {
            field.set_cursor_style(Style::new());
        }
        self.frame.render_widget(&field, area);
    }
}
