//! The frame of every page: head, the list at the side, the middle, and what is beside it.

use axum::response::Html;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{PageContext, PageResult, lists};
use crate::layout::head;
use crate::place::Place;

/// What a page shows in its places.
pub(super) struct PageParts<'a> {
    /// What kind of page it is. Browsers keep titles in their history: no names in here.
    pub(super) title: &'a str,
    /// The item of the list that is open.
    pub(super) here: Here,
    pub(super) main: Markup,
    /// At the right, where there is room for it.
    pub(super) aside: Option<Markup>,
}

/// Which item of the list a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Home,
    At(Place),
    Other,
}

impl PageContext {
    /// A whole page.
    pub(super) fn page(&self, parts: &PageParts<'_>) -> PageResult {
        let unseen = self.unseen();
        let count = if unseen > 0 { format!("({unseen}) ") } else { String::new() };
        let title = format!("{count}{} – Hushwing", parts.title);
        let open = parts.here != Here::Home;
        let page = html! {
            (DOCTYPE)
            html lang="en" data-theme=(self.theme) {
                (head(&title, Some(&self.web.base)))
                body.inside .open[open] .three[parts.aside.is_some()] {
                    header.side {
                        (self.top())
                        nav #list data-live aria-label="Conversations" {
                            (lists::list(self, parts.here))
                        }
                        (self.bottom())
                    }
                    main #main {
                        (self.flashes())
                        (parts.main)
                    }
                    @if let Some(aside) = &parts.aside {
                        aside #aside data-live aria-label="About this conversation" { (aside) }
                    }
                    // Without scripts a small frame looks for news, so that nothing that is being
                    // typed is lost.
                    (PreEscaped("<noscript>"))
                    iframe.news src="news" title="Notifications" {}
                    (PreEscaped("</noscript>"))
                    div #toasts role="status" aria-live="polite" {}
                }
            }
        };
        Ok(Html(page.into_string()))
    }

    fn top(&self) -> Markup {
        let (class, words) = match (self.status.online, self.status.connections.as_slice()) {
            (_, []) => ("dot", "not connected to any network yet".to_owned()),
            (true, words) => ("dot on", words.join("; ")),
            (false, words) => ("dot off", words.join("; ")),
        };
        html! {
            div.top {
                a.brand href="./" {
                    img src="/a/icon.svg" alt="" width="28" height="28";
                    span { "Hushwing" }
                }
                a.me href="settings" title="Your name, as contacts see it" { (self.status.name) }
            }
            p.net #net data-live { span class=(class) {} a href="network" { (words) } }
            form.search method="post" action="search" role="search" {
                (self.token())
                label.vh for="q" { "Search messages" }
                input #q type="search" name="q" placeholder="Search messages" autocomplete="off";
            }
        }
    }

    fn bottom(&self) -> Markup {
        html! {
            ul.bottom {
                li { a href="new" { "New" } }
                li { a href="near" { "Nearby" } }
                li { a href="files" { "Files" } }
                li { a href="settings" { "Settings" } }
                li { a href="help" { "Help" } }
            }
        }
    }

    fn flashes(&self) -> Markup {
        // A script that refreshes a page must not eat what a person has not read.
        let said = if self.script { Vec::new() } else { self.session.take_flashes() };
        html! {
            @for flash in said {
                @let role = if flash.error { "alert" } else { "status" };
                p.flash .error[flash.error] role=(role) { (flash.text) }
            }
        }
    }
}
