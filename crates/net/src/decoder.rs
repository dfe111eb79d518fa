//! Cuts a byte stream into frames, whatever pieces the bytes come in.

use wire::frame::{HEADER_LEN, Header, PACKET_PREFIX, REPLY_PREFIX};
use wire::{Error, Frame, FrameKind};

/// Most room reserved for a raw body before its bytes have arrived, bytes.
const FIRST_RESERVE: usize = 16 * 1024;
/// Capacity of the reused body buffer that an idle link may keep, bytes.
const KEEP: usize = 1024;

/// An incremental frame parser. Raw bodies (packets, replies, documents) are collected in the
/// vector that the frame will own. Other bodies are parsed in place if they arrived in one piece.
#[derive(Default)]
pub(crate) struct Decoder {
    header: [u8; HEADER_LEN],
    header_have: usize,
    current: Option<Header>,
    prefix: [u8; REPLY_PREFIX],
    prefix_have: usize,
    body: Vec<u8>,
}

/// Bytes before the raw part of a body, and whether the rest is raw.
const fn shape(kind: FrameKind) -> (usize, bool) {
    match kind {
        FrameKind::Packet => (PACKET_PREFIX, true),
        FrameKind::Reply => (REPLY_PREFIX, true),
        FrameKind::Document => (0, true),
        _ => (0, false),
    }
}

impl Decoder {
    /// Whether a frame has begun and is not complete.
    pub(crate) const fn in_frame(&self) -> bool {
        self.header_have > 0
    }

    /// Announced body length of the frame that has begun, bytes; zero while its header is
    /// incomplete.
    pub(crate) fn announced(&self) -> usize {
        self.current.map_or(0, |h| h.body_len())
    }

    /// Frees memory that an idle link does not need.
    pub(crate) fn trim(&mut self) {
        if !self.in_frame() && self.body.capacity() > KEEP {
            self.body = Vec::new();
        }
    }

    /// Takes bytes up to the end of one frame. Returns how many were used, and the frame if it is
    /// complete. After an error the stream is unusable.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(usize, Option<Frame>), Error> {
        let mut rest = bytes;
        let header = match self.current {
            Some(header) => header,
            None => {
                fill(&mut self.header, HEADER_LEN, &mut self.header_have, &mut rest);
                if self.header_have < HEADER_LEN {
                    return Ok((bytes.len(), None));
                }
                let header = Header::parse(self.header)?;
                if header.body_len() < shape(header.kind()).0 {
                    return Err(Error::Malformed("body shorter than its prefix"));
                }
                self.current = Some(header);
                header
            }
        };
        let frame = self.body(header, &mut rest)?;
        if frame.is_some() {
            self.header_have = 0;
            self.prefix_have = 0;
            self.current = None;
        }
        Ok((bytes.len().saturating_sub(rest.len()), frame))
    }

    fn body(&mut self, header: Header, rest: &mut &[u8]) -> Result<Option<Frame>, Error> {
        let (prefix, raw) = shape(header.kind());
        let len = header.body_len().saturating_sub(prefix);
        if !raw
            && self.body.is_empty()
            && let Some((body, after)) = rest.split_at_checked(len)
        {
            *rest = after;
            return Frame::parse(header.kind(), body).map(Some);
        }
        fill(&mut self.prefix, prefix, &mut self.prefix_have, rest);
        let (take, after) = rest.split_at(rest.len().min(len.saturating_sub(self.body.len())));
        *rest = after;
        self.reserve(len, take.len());
        self.body.extend_from_slice(take);
        if self.prefix_have < prefix || self.body.len() < len {
            return Ok(None);
        }
        if raw {
            return Ok(Some(self.raw(header.kind())));
        }
        let frame = Frame::parse(header.kind(), &self.body)?;
        self.body.clear();
        Ok(Some(frame))
    }

    /// Makes room for `more` bytes of a body of `len`: at once for a packet of usual size,
    /// otherwise at most as much again as has arrived. So a header alone cannot claim memory.
    fn reserve(&mut self, len: usize, more: usize) {
        let have = self.body.len();
        if more > 0 && self.body.capacity().saturating_sub(have) < more {
            let ahead = have.max(FIRST_RESERVE).max(more);
            self.body.reserve_exact(ahead.min(len.saturating_sub(have)));
        }
    }

    fn raw(&mut self, kind: FrameKind) -> Frame {
        let bytes = std::mem::take(&mut self.body);
        let [a, b, c, d, ..] = self.prefix;
        match kind {
            FrameKind::Packet => {
                Frame::Packet { epoch: u32::from_be_bytes([a, b, c, d]), packet: bytes }
            }
            FrameKind::Reply => Frame::Reply { surb_id: self.prefix, padded: bytes },
            _ => Frame::Document(bytes),
        }
    }
}

/// Moves bytes from `rest` until `have` reaches `want`.
fn fill(target: &mut [u8], want: usize, have: &mut usize, rest: &mut &[u8]) {
    let (take, after) = rest.split_at(rest.len().min(want.saturating_sub(*have)));
    for (slot, byte) in target.iter_mut().skip(*have).zip(take) {
        *slot = *byte;
    }
    *have = have.saturating_add(take.len());
    *rest = after;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::id::DocumentHash;
    use wire::{BootId, ClientToken};

    use super::*;

    fn all(decoder: &mut Decoder, bytes: &[u8], piece: usize) -> Result<Vec<Frame>, Error> {
        let mut frames = Vec::new();
        for mut chunk in bytes.chunks(piece) {
            while !chunk.is_empty() {
                let (used, frame) = decoder.push(chunk)?;
                assert!(used > 0);
                chunk = &chunk[used..];
                frames.extend(frame);
            }
        }
        Ok(frames)
    }

    fn samples() -> Vec<Frame> {
        vec![
            Frame::Ping,
            Frame::Packet { epoch: 0x0102_0304, packet: (0..=255).cycle().take(14_500).collect() },
            Frame::Packet { epoch: 1, packet: vec![] },
            Frame::Reply { surb_id: [3; 16], padded: vec![2; 40_000] },
            Frame::Attach(ClientToken::new([1; 32])),
            Frame::Attached(BootId::new([1; 16])),
            Frame::Document(vec![9; 300_000]),
            Frame::Document(vec![]),
            Frame::GetDocument(Some(DocumentHash::new([5; 32]))),
            Frame::Registered(77),
            Frame::Pong,
        ]
    }

    //= LINK-005
    #[test]
    fn frames_come_out_however_the_bytes_are_cut() {
        let frames = samples();
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.write_to(&mut bytes).unwrap();
        }
        for piece in [1, 2, 3, 7, 1000, 16_384, bytes.len()] {
            let mut decoder = Decoder::default();
            assert!(all(&mut decoder, &bytes, piece).unwrap() == frames, "{piece}");
            assert!(!decoder.in_frame());
            decoder.trim();
            assert!(decoder.body.capacity() <= KEEP);
        }
    }

    #[test]
    fn a_refused_header_allocates_nothing_and_an_accepted_one_little() {
        let mut decoder = Decoder::default();
        // A packet of 16 MiB - 1: over its limit.
        assert!(matches!(decoder.push(&[1, 0xff, 0xff, 0xff]), Err(Error::TooLong { .. })));
        assert_eq!(decoder.body.capacity(), 0);
        // A document of 8 MiB is allowed, and has sent one byte.
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(&[17, 0x80, 0, 0]).unwrap(), (4, None));
        assert_eq!(decoder.body.capacity(), 0);
        assert_eq!(decoder.announced(), 8 << 20);
        decoder.push(&[1]).unwrap();
        assert!(decoder.body.capacity() <= FIRST_RESERVE);
        decoder.push(&vec![0; 1 << 20]).unwrap();
        assert!(decoder.body.capacity() <= (2 << 20) + FIRST_RESERVE);
    }

    #[test]
    fn a_packet_takes_exactly_its_length() {
        let mut decoder = Decoder::default();
        let bytes = Frame::Packet { epoch: 1, packet: vec![5; 14_500] }.to_bytes().unwrap();
        let frames = all(&mut decoder, &bytes, 4096).unwrap();
        let [Frame::Packet { packet, .. }] = frames.as_slice() else { panic!() };
        assert_eq!((packet.len(), packet.capacity()), (14_500, 14_500));
    }

    #[test]
    fn a_body_shorter_than_its_prefix_is_refused() {
        for header in [[1, 0, 0, 3], [2, 0, 0, 15]] {
            assert!(Decoder::default().push(&header).is_err());
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_parser(bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in prop::sample::select(vec![1u8, 2, 3, 4, 5, 16, 17, 19, 21, 32, 33]), piece in 1usize..20) {
            let mut stream = vec![kind, 0, 0, u8::try_from(bytes.len()).unwrap()];
            stream.extend_from_slice(&bytes);
            let got = all(&mut Decoder::default(), &stream, piece);
            let want = Header::parse([kind, 0, 0, stream[3]]).and_then(|h| Frame::parse(h.kind(), &bytes));
            match (got, want) {
                (Ok(got), Ok(want)) => prop_assert_eq!(got, vec![want]),
                (Err(_), Err(_)) => {}
                (got, want) => prop_assert!(false, "{:?} {:?}", got, want),
            }
        }
    }
}
