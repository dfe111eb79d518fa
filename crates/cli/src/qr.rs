//! QR codes on a terminal.

use std::io::IsTerminal;

use text::colours;

/// Shows a text as a QR code of half blocks on stderr, for a camera in front of a terminal. Black
/// on white wherever colours are allowed: many cameras do not read the inverse, which a dark
/// terminal would show. A text that is too long for a code is not shown.
pub fn show(text: &str) {
    let Ok(code) = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::L) else {
        return;
    };
    let colour = colours(std::io::stderr().is_terminal());
    let picture = code.render::<qrcode::render::unicode::Dense1x2>().build();
    for line in picture.lines() {
        if colour { eprintln!("\x1b[30;107m{line}\x1b[0m") } else { eprintln!("{line}") }
    }
}
