//! What every page has around its body, and the theme that a browser has chosen.

use axum::http::HeaderMap;
use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

use crate::session::cookie;

/// Themes, with their names: the system's choice, and four more.
pub(crate) const THEMES: &[(&str, &str)] = &[
    ("auto", "System"),
    ("light", "Light"),
    ("dark", "Dark"),
    ("nord", "Nord"),
    ("black", "High contrast"),
];

/// The theme that a browser keeps in a cookie.
pub(crate) fn theme_of(headers: &HeaderMap) -> String {
    let kept = cookie(headers, "theme").unwrap_or("auto");
    THEMES.iter().find(|(name, _)| *name == kept).map_or("auto", |(name, _)| name).to_owned()
}

/// What every page says before its body. `base`: the path below which the page lies.
pub(crate) fn head(title: &str, base: Option<&str>) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport"
                content="width=device-width, initial-scale=1, viewport-fit=cover";
            meta name="color-scheme" content="light dark";
            title { (title) }
            @if let Some(base) = base {
                base href=(base);
                link rel="manifest" href="manifest.webmanifest" crossorigin="use-credentials";
            }
            link rel="stylesheet" href="/a/app.css";
            link rel="icon" type="image/svg+xml" href="/a/icon.svg";
            script type="module" src="/a/app.js" {}
        }
    }
}

/// A page with nothing of the profile on it.
pub(crate) fn bare(title: &str, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" data-theme="auto" {
            (head(&format!("{title} – Hushwing"), None))
            body.bare { main { (body) } }
        }
    };
    Html(page.into_string())
}
