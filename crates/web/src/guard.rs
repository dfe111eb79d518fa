//! Checks that every request must pass, and headers that every response bears.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::PageError;

/// Everything from this server, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; manifest-src 'self'; frame-src 'self'; form-action 'self'; \
    base-uri 'self'; frame-ancestors 'self'; \
    require-trusted-types-for 'script'; trusted-types hushwing";

/// What browsers must keep off.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), \
    gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// Hosts, with their ports, under which browsers may ask.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Arc<[String]>);

impl Hosts {
    pub(crate) fn new(hosts: Vec<String>) -> Self {
        Hosts(hosts.into())
    }
}

/// Refuses what no page of this site asked for, and hardens the response.
pub(crate) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let mut response = match check(&hosts.0, request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    harden(response.headers_mut());
    response
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn check(hosts: &[String], method: &Method, headers: &HeaderMap) -> Result<(), PageError> {
    // A host name that somebody pointed at this machine (DNS rebinding) is not served.
    let host = text(headers, header::HOST).unwrap_or_default();
    if !hosts.iter().any(|h| h == host) {
        return Err(PageError::misdirected());
    }
    let fetch = |what: &'static str| text(headers, HeaderName::from_static(what));
    let site = fetch("sec-fetch-site");
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    // A person may follow a link to this site; other pages may not fetch, embed or post to it.
    let followed = !changes
        && fetch("sec-fetch-mode") == Some("navigate")
        && fetch("sec-fetch-dest") == Some("document");
    if matches!(site, Some("cross-site" | "same-site")) && !followed {
        return Err(PageError::forbidden("blocked: another site requested this"));
    }
    if changes {
        let ours = match text(headers, header::ORIGIN) {
            Some("null") | None => site == Some("same-origin"),
            Some(origin) => origin.strip_prefix("http://") == Some(host),
        };
        if !ours {
            return Err(PageError::forbidden("blocked: another site sent this"));
        }
    }
    Ok(())
}

fn harden(headers: &mut HeaderMap) {
    let pairs = [
        ("content-security-policy", POLICY),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
        // Not `no-referrer`: browsers would then hide the origin of this site's own forms.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", PERMISSIONS),
        ("cache-control", "no-store"),
    ];
    for (name, value) in pairs {
        // What a handler has set already is stricter.
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "127.0.0.1:42069";

    fn asked(method: &Method, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_str(v).unwrap()));
        check(&[HERE.to_owned(), "x.onion".to_owned()], method, &headers.collect()).is_ok()
    }

    #[test]
    fn host_names_that_were_pointed_here_are_not_served() {
        assert!(asked(&Method::GET, &[("host", HERE)]));
        assert!(asked(&Method::GET, &[("host", "x.onion")]));
        for host in
            ["evil.example", "127.0.0.1", "127.0.0.1:80", "localhost:42069", "x.onion:80", ""]
        {
            assert!(!asked(&Method::GET, &[("host", host)]), "{host}");
        }
        assert!(!asked(&Method::GET, &[]));
    }

    #[test]
    fn other_sites_can_link_here_and_nothing_else() {
        for site in ["cross-site", "same-site"] {
            let link = [("host", HERE), ("sec-fetch-site", site), ("sec-fetch-mode", "navigate")];
            let document = [link.as_slice(), &[("sec-fetch-dest", "document")]].concat();
            assert!(asked(&Method::GET, &document));
            let frame = [link.as_slice(), &[("sec-fetch-dest", "iframe")]].concat();
            assert!(!asked(&Method::GET, &frame), "{site}");
            assert!(!asked(
                &Method::GET,
                &[("host", HERE), ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")]
            ));
            assert!(!asked(&Method::POST, &document));
        }
    }

    #[test]
    fn forms_come_from_pages_of_this_site() {
        let ours = format!("http://{HERE}");
        assert!(asked(&Method::POST, &[("host", HERE), ("origin", &ours)]));
        assert!(asked(
            &Method::POST,
            &[("host", HERE), ("origin", &ours), ("sec-fetch-site", "same-origin")]
        ));
        // Some browsers hide the origin; then they must say otherwise that the page is this site's.
        assert!(asked(
            &Method::POST,
            &[("host", HERE), ("origin", "null"), ("sec-fetch-site", "same-origin")]
        ));
        assert!(!asked(&Method::POST, &[("host", HERE), ("origin", "null")]));
        assert!(!asked(&Method::POST, &[("host", HERE)]));
        for origin in [
            "http://127.0.0.1:42070",
            "https://127.0.0.1:42069",
            "http://evil.example",
            "http://x.onion",
        ] {
            assert!(!asked(&Method::POST, &[("host", HERE), ("origin", origin)]), "{origin}");
        }
    }
}
