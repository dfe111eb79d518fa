//! Boxes in files, carried by hand from one machine to another.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use api::{BundleIn, BundleOut, BundleView, Reason, Refusal, Value};
use mesh::bundle::{self, MAGIC, Reader};
use streams::VerifiedBox;
use wire::ErrorKind;

use crate::refuse::{OrRefuse, disk};
use crate::run::Engine;

/// Boxes of a file that one transaction takes.
const AT_A_TIME: usize = 256;

#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
fn cannot_write(error: std::io::Error) -> Refusal {
    disk("the file cannot be written", &error)
}

impl Engine {
    /// Writes the boxes that are to reach others into a new file.
    pub(crate) fn bundle_out(&mut self, request: &BundleOut) -> Result<BundleView, Refusal> {
        let of = request.conversation.map(|c| self.known(c)).transpose()?;
        self.begin_bundling();
        let ids: Vec<_> = match of {
            Some(id) => self.core.messenger.our_boxes(id).or_refuse()?,
            None => self.near.node.carried().into_iter().map(|(id, _)| id).collect(),
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(request.path.as_path()).map_err(cannot_write)?;
        file.write_all(MAGIC).map_err(cannot_write)?;
        let mut written = BundleView { boxes: 0, new: 0, bytes: size(MAGIC) };
        for some in ids.chunks(AT_A_TIME) {
            let Engine { core, carriers, near, .. } = self;
            for content in near.gossip(core, carriers, |node, step| node.look(step.store, some))? {
                let entry = bundle::entry(content, 1);
                file.write_all(&entry).map_err(cannot_write)?;
                written.boxes += 1;
                written.bytes += size(&entry);
            }
        }
        file.sync_all().map_err(cannot_write)?;
        Ok(written)
    }

    /// Reads boxes from a file.
    pub(crate) fn bundle_in(&mut self, request: &BundleIn) -> Result<BundleView, Refusal> {
        let cannot_read = |e: std::io::Error| disk("the file cannot be read", &e);
        let mut file = File::open(request.path.as_path()).map_err(cannot_read)?;
        self.begin_bundling();
        let (mut reader, mut piece) = (Reader::default(), vec![0; 64 * 1024]);
        let mut taken = BundleView { boxes: 0, new: 0, bytes: 0 };
        loop {
            let read = file.read(&mut piece).map_err(cannot_read)?;
            if read == 0 {
                break;
            }
            let piece = piece.get(..read).unwrap_or_default();
            taken.bytes += size(piece);
            reader.feed(piece);
            let (some, broken) = whole_boxes(&mut reader);
            taken.boxes += some.len();
            let Engine { core, carriers, near, .. } = self;
            taken.new += near.take_in(core, carriers, some)?;
            if let Some(error) = broken {
                return Err(cut_short(&error, taken.boxes));
            }
        }
        reader.finish().map_err(|e| cut_short(&e, taken.boxes))?;
        Ok(taken)
    }

    /// From now on boxes go into files, or come from them: what is queued is sealed, what is
    /// awaited is asked for.
    fn begin_bundling(&mut self) {
        self.near.bundling = true;
        self.after();
    }
}

/// The boxes that have come whole, and what is wrong with the next one.
fn whole_boxes(reader: &mut Reader) -> (Vec<VerifiedBox>, Option<mesh::Error>) {
    let mut some = Vec::new();
    loop {
        match reader.next_box() {
            Ok(Some(content)) => some.push(content),
            Ok(None) => return (some, None),
            Err(error) => return (some, Some(error)),
        }
    }
}

fn cut_short(error: &mesh::Error, boxes: usize) -> Refusal {
    let kind: ErrorKind = error.kind();
    let reason = Reason::BadValue { what: Value::Path };
    Refusal::new(kind, reason, format!("{error}; {boxes} boxes before that were taken"))
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
