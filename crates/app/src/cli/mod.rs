//! The command line, the line mode, and the faces of a profile for terminals and scripts.

pub mod args;
pub mod args_guests;
pub mod args_profile;
pub mod args_web;
pub mod ask;
pub mod chat;
pub mod export;
pub mod line;
pub mod profile;
pub mod rpc;
pub mod tor;

/// A link as a QR code of half blocks, for a camera in front of a terminal. Black on white wherever
/// colours are allowed: many cameras do not read the inverse, which a dark terminal would show.
pub(crate) fn show_qr(link: &str) {
    let Ok(code) = qrcode::QrCode::with_error_correction_level(link, qrcode::EcLevel::L) else {
        return;
    };
    let picture = code.render::<qrcode::render::unicode::Dense1x2>().build();
    for line in picture.lines() {
        if line::colours(true) {
            eprintln!("\x1b[30;107m{line}\x1b[0m");
        } else {
            eprintln!("{line}");
        }
    }
}
