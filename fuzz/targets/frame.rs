//! A byte stream cut into frames: headers, bodies, the requests and responses inside.
//! What was accepted must write itself in a form that reads back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::frame::{Frame, HEADER_LEN, Header};

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    while let Some((head, after)) = rest.split_first_chunk::<HEADER_LEN>() {
        let Ok(header) = Header::parse(*head) else { return };
        let Some((body, after)) = after.split_at_checked(header.body_len()) else { return };
        rest = after;
        let Ok(frame) = Frame::parse(header.kind(), body) else { continue };
        let Ok(bytes) = frame.to_bytes() else { continue };
        let (head, body) = bytes.split_first_chunk::<HEADER_LEN>().expect("a frame has a header");
        let again = Header::parse(*head).expect("our own header");
        assert_eq!((again.kind(), again.body_len()), (header.kind(), body.len()));
        assert!(Frame::parse(again.kind(), body).expect("our own body") == frame);
    }
});
