//! The same sites with the person's own tor and nginx: writes everything for them into one
//! directory, and nothing anywhere else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use api::Failure;
use jail::StateDir;
use server::site::{CONTENT_POLICY, INDEX, PERMISSIONS};
use sha2::{Digest, Sha512};
use wire::ErrorKind;
use zeroize::Zeroizing;

use super::OnionSiteArgs;
use super::sites::{NamedSite, apart};
use crate::OrFail;

/// Beginning of tor's own key files: 29 letters and three zero bytes.
const SECRET_HEADER: &[u8; 32] = b"== ed25519v1-secret: type0 ==\0\0\0";
const PUBLIC_HEADER: &[u8; 32] = b"== ed25519v1-public: type0 ==\0\0\0";

/// Writes `torrc.snippet`, `nginx.conf`, `README` and a directory of keys for each site into `out`.
/// The same sites and keys give the same files.
pub(super) fn write(out: &Path, sites: &[NamedSite], args: &OnionSiteArgs) -> Result<(), Failure> {
    let folder = StateDir::open(out).or_fail()?;
    let out = out.canonicalize().map_err(|e| {
        let text = format!("cannot read {}: {e}", out.display());
        Failure::new(
            ErrorKind::LocalStorage,
            text,
            "use --emit-config with a directory that you can write",
        )
    })?;
    for site in sites {
        apart(&site.site, &out, "--emit-config")?;
    }
    let keys = folder.subdir("onion").or_fail()?;
    let mut torrc = String::from("# Lines for tor's torrc: one onion service for each site.\n");
    let mut nginx = String::from(
        "# For the http block of nginx: one server for each site, on this machine only.\n",
    );
    for (n, site) in sites.iter().enumerate() {
        let port = u16::try_from(n).ok().and_then(|n| args.local_port.checked_add(n)).ok_or_else(
            || {
                Failure::new(
                    ErrorKind::LocalConfig,
                    "the ports go beyond 65535",
                    "choose a lower --local-port",
                )
            },
        )?;
        write_keys(&keys.subdir(&site.name).or_fail()?, site)?;
        let service = plain(&out.join("onion").join(&site.name))?;
        // Infallible: it is a string that is written to.
        let _ = write!(
            torrc,
            "\nHiddenServiceDir {service}\nHiddenServicePort {} 127.0.0.1:{port}\n",
            args.port
        );
        nginx.push_str(&server_block(site, port, args.list)?);
    }
    folder.write("torrc.snippet", torrc.as_bytes()).or_fail()?;
    folder.write("nginx.conf", nginx.as_bytes()).or_fail()?;
    folder.write("README", readme(sites, args.port).as_bytes()).or_fail()?;
    Ok(())
}

/// Writes tor's three files of an onion service. Tor keeps keys expanded, as RFC 8032 does before
/// signing.
fn write_keys(dir: &StateDir, site: &NamedSite) -> Result<(), Failure> {
    let mut expanded = Zeroizing::new([0_u8; 64]);
    expanded.copy_from_slice(&Sha512::digest(site.seed.as_ref()));
    expanded[0] &= 248;
    expanded[31] &= 63;
    expanded[31] |= 64;
    let secret = Zeroizing::new([SECRET_HEADER.as_slice(), expanded.as_ref()].concat());
    dir.write("hs_ed25519_secret_key", &secret).or_fail()?;
    let name = site.onion();
    dir.write("hs_ed25519_public_key", &[PUBLIC_HEADER.as_slice(), name.key()].concat())
        .or_fail()?;
    dir.write("hostname", format!("{name}\n").as_bytes()).or_fail()?;
    Ok(())
}

fn server_block(site: &NamedSite, port: u16, list: bool) -> Result<String, Failure> {
    let root = plain(site.site.root())?;
    let pattern = site.onion().to_string().replace('.', "\\.");
    let list = if list { "on" } else { "off" };
    Ok(format!(
        r#"
# {site_name}
server {{
    # Requests for another name are not for this site.
    listen 127.0.0.1:{port} default_server;
    access_log off;
    return 444;
}}
server {{
    listen 127.0.0.1:{port};
    # As a pattern: nginx's table of plain names has no room for one so long unless it is told.
    server_name ~^{pattern}$;
    root "{root}";
    index {INDEX};
    autoindex {list};
    disable_symlinks on from=$document_root;
    absolute_redirect off;
    server_tokens off;
    access_log off;
    etag off;
    if_modified_since off;
    add_header Last-Modified "" always;
    add_header X-Frame-Options "DENY" always;
    add_header X-Content-Type-Options "nosniff" always;
    add_header Referrer-Policy "no-referrer" always;
    add_header Content-Security-Policy "{CONTENT_POLICY}" always;
    add_header Permissions-Policy "{PERMISSIONS}" always;
    client_max_body_size 1k;
    if ($request_method !~ ^(GET|HEAD)$) {{
        return 405;
    }}
    location / {{
        try_files $uri $uri/ =404;
    }}
    location ~ /\. {{
        return 404;
    }}
}}
"#,
        site_name = site.name,
    ))
}

fn readme(sites: &[NamedSite], port: u16) -> String {
    let mut text = String::from(
        "Onion sites by tor and nginx\n\
         ============================\n\n\
         torrc.snippet  lines for tor's torrc, or for a file that torrc includes with %include\n\
         nginx.conf     servers for nginx's http block: include it there, or put it into conf.d\n\
         onion/         the sites' keys: anyone who has one can impersonate that site\n\n\
         Nothing on this system was changed. To use it, as root:\n\n\
         1. Give onion/ and its contents to tor's user, and to nobody else (on Debian: chown -R debian-tor onion).\n\
         \u{20}  That user must be able to reach it: all directories above it must be open to that user.\n\
         2. Add the lines of torrc.snippet, check with `tor --verify-config`, and reload tor.\n\
         3. Let nginx's user read the sites' directories, include nginx.conf, check with `nginx -t`, and reload nginx.\n\n\
         To undo it, remove the lines again, reload, and delete this directory.\n\
         Do not let hushwing and tor publish one address at the same time.\n\
         nginx sends its name in the header Server and the time in Date; `hushwing onion-site` sends neither.\n\n\
         Sites\n\n",
    );
    for site in sites {
        let port = if port == 80 { String::new() } else { format!(":{port}") };
        let _ = writeln!(text, "{}  http://{}{port}/", site.name, site.onion());
    }
    text
}

/// Checks that a path means the same in both configurations, whose quoting rules differ.
fn plain(path: &Path) -> Result<String, Failure> {
    let text = path
        .to_str()
        .filter(|text| !text.chars().any(|c| c.is_control() || "\"'\\$#;{}".contains(c)));
    text.map(ToOwned::to_owned).ok_or_else(|| {
        let text = format!("{} cannot be used in a configuration", PathBuf::from(path).display());
        Failure::new(
            ErrorKind::LocalConfig,
            text,
            "rename it: no quotes and none of \\ $ # ; { } in the path",
        )
    })
}
