//! The content of a file on the modeled disk, page by page, and the part of it that survives a
//! crash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::seed::Random;

/// The unit that reaches the disk completely or not at all.
pub(crate) const PAGE: u64 = 4096;
const PAGE_LEN: usize = 4096;

/// The content of a file. A missing page consists of zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    len: u64,
    pages: BTreeMap<u64, Arc<[u8]>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write { offset: u64, data: Arc<[u8]> },
    Resize(u64),
    Grow(u64),
}

impl Change {
    fn len_after(&self, len: u64) -> u64 {
        match self {
            Self::Write { offset, data } => len.max(offset + data.len() as u64),
            Self::Resize(new) => *new,
            Self::Grow(new) => len.max(*new),
        }
    }

    /// The pages that are changed; the last may be any page.
    fn pages(&self) -> Option<(u64, u64)> {
        match self {
            Self::Write { data, .. } if data.is_empty() => None,
            Self::Write { offset, data } => {
                Some((offset / PAGE, (offset + data.len() as u64 - 1) / PAGE))
            }
            Self::Resize(len) => Some((len / PAGE, u64::MAX)),
            Self::Grow(_) => None,
        }
    }
}

impl Content {
    pub(crate) fn apply(&mut self, change: &Change) {
        let touched: Vec<_> = match (change, change.pages()) {
            (Change::Resize(_), Some((from, _))) => {
                self.pages.range(from..).map(|(page, _)| *page).collect()
            }
            (_, Some((from, to))) => (from..=to).collect(),
            (_, None) => Vec::new(),
        };
        for page in touched {
            self.change_page(page, change);
        }
        self.len = change.len_after(self.len);
    }

    /// The effect of the change on one page, apart from its effect on the length.
    fn change_page(&mut self, page: u64, change: &Change) {
        let start = page * PAGE;
        let mut bytes = [0; PAGE_LEN];
        if let Some(before) = self.pages.get(&page) {
            bytes.copy_from_slice(before);
        }
        match change {
            Change::Write { offset, data } => {
                let from = start.max(*offset);
                let to = (start + PAGE).min(offset + data.len() as u64);
                if from >= to {
                    return;
                }
                let part = &data[index(from - offset)..index(to - offset)];
                bytes[index(from - start)..index(to - start)].copy_from_slice(part);
            }
            Change::Resize(len) if *len < start + PAGE => {
                bytes[index(len.saturating_sub(start))..].fill(0);
            }
            Change::Resize(_) | Change::Grow(_) => return,
        }
        if bytes == [0; PAGE_LEN] {
            self.pages.remove(&page);
        } else {
            self.pages.insert(page, bytes.as_slice().into());
        }
    }

    /// A state that the disk may have with this content and later unsynced changes: each page
    /// contains the first few of its changes, and the length is one of those that the file had.
    pub(crate) fn after_crash(&self, changes: &[Change], kept: u64, random: &mut Random) -> Self {
        let mut left = self.clone();
        let mut touched: BTreeSet<_> = self.pages.keys().copied().collect();
        for change in changes {
            if let (Change::Write { .. }, Some((from, to))) = (change, change.pages()) {
                touched.extend(from..=to);
            }
        }
        for page in touched {
            let of_page = |change: &&Change| {
                change.pages().is_some_and(|(from, to)| (from..=to).contains(&page))
            };
            let of_page: Vec<_> = changes.iter().filter(of_page).collect();
            let count = some_of(of_page.len(), kept, random);
            for change in &of_page[..count] {
                left.change_page(page, change);
            }
        }
        let count = some_of(changes.len(), kept, random);
        let len = changes[..count].iter().fold(self.len, |len, change| change.len_after(len));
        left.apply(&Change::Resize(len));
        left
    }

    pub(crate) fn write_to(&self, path: &Path) {
        let file = File::create(path).unwrap();
        file.set_len(self.len).unwrap();
        for (page, bytes) in &self.pages {
            let len = index((self.len - page * PAGE).min(PAGE));
            file.write_all_at(&bytes[..len], page * PAGE).unwrap();
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether anything of the page is not zero.
    pub(crate) fn has_page(&self, page: u64) -> bool {
        self.pages.contains_key(&page)
    }

    pub(crate) fn byte(&self, at: u64) -> u8 {
        self.pages.get(&(at / PAGE)).map_or(0, |page| page[index(at % PAGE)])
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.apply(&Change::Write { offset: 0, data: bytes.into() });
        content
    }
}

/// How many of `count` changes survive a crash: all of them with a probability of `kept` percent,
/// and otherwise none or some.
pub(crate) fn some_of(count: usize, kept: u64, random: &mut Random) -> usize {
    match random.below(100) {
        chance if chance < kept => count,
        chance if chance % 2 == 0 => 0,
        _ => index(random.below(count as u64 + 1)),
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}
