//! The content of a file of a simulated disk, and what a crash of the machine leaves of it.

/// The unit that reaches the disk as a whole, nearly always.
const SECTOR: usize = 512;

/// A number below the given one.
pub(super) type Choose<'a> = &'a mut dyn FnMut(u32) -> u32;

/// A file: what programs see, what is on the disk, and the changes in between.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// The changes that no sync has covered, in order.
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Resize(usize),
}

impl Content {
    /// What programs see.
    pub(super) fn seen(&self) -> &[u8] {
        &self.seen
    }

    pub(super) fn write(&mut self, offset: usize, data: &[u8]) {
        self.change(Change::Write { offset, data: data.to_vec() });
    }

    pub(super) fn resize(&mut self, len: usize) {
        self.change(Change::Resize(len));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    /// Makes all changes durable, after a sync that succeeded.
    pub(super) fn sync(&mut self) {
        self.pending.drain(..).for_each(|change| change.apply(&mut self.durable));
    }

    /// A sync has failed: the system forgets that the changes are not on the disk (Rebello et al.,
    /// "Can Applications Recover from fsync Failures?"). Some of them may be.
    pub(super) fn fail_sync(&mut self, choose: Choose<'_>) {
        let pending = std::mem::take(&mut self.pending);
        write_some(&mut self.durable, &pending, choose);
    }

    /// Crashes the machine: of the changes that no sync has covered, any part may survive.
    pub(super) fn crash(&mut self, choose: Choose<'_>) {
        let pending = std::mem::take(&mut self.pending);
        write_some(&mut self.durable, &pending, choose);
        self.seen.clone_from(&self.durable);
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => {
                bytes.resize(bytes.len().max(offset + data.len()), 0);
                bytes[*offset..offset + data.len()].copy_from_slice(data);
            }
            Self::Resize(len) => bytes.resize(*len, 0),
        }
    }

    fn len_after(&self, len: usize) -> usize {
        match self {
            Self::Write { offset, data } => len.max(offset + data.len()),
            Self::Resize(len) => *len,
        }
    }
}

/// Applies some of the changes, sector by sector, in any order; the length is one that the file had
/// in between.
fn write_some(durable: &mut Vec<u8>, changes: &[Change], choose: Choose<'_>) {
    if changes.is_empty() {
        return;
    }
    // From nothing over some to everything.
    let kept = [0, 10, 50, 90, 100][choose(5) as usize];
    let all = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    let lengths = if choose(100) < kept { all } else { choose(all + 1) };
    let len =
        changes[..lengths as usize].iter().fold(durable.len(), |len, change| change.len_after(len));
    for change in changes {
        match change {
            Change::Write { offset, data } => {
                let mut from = 0;
                while from < data.len() {
                    let end = (offset + from + SECTOR) / SECTOR * SECTOR - offset;
                    let end = end.min(data.len());
                    // A sector may be torn.
                    let end_kept = match choose(100) {
                        chance if chance < kept => end,
                        99 => from + (end - from) / 2,
                        _ => from,
                    };
                    if end_kept > from {
                        let data = data[from..end_kept].to_vec();
                        Change::Write { offset: offset + from, data }.apply(durable);
                    }
                    from = end;
                }
            }
            // What was cut off is not there when the file grows again.
            Change::Resize(len) if *len < durable.len() && choose(100) < kept => {
                durable[*len..].fill(0);
            }
            Change::Resize(_) => {}
        }
    }
    durable.resize(len, 0);
}
