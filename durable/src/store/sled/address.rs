//! The receiver of a message, read from its first bytes.
//!
//! ```text
//! format: 1
//! head: 1        an array
//! id: 18         `MessagePack` of the 16 bytes of a message id
//! instance       `MessagePack` of an instance id
//! ```
//! This is a filter that saves decoding. It may let other messages pass, because one that is encoded
//! differently counts as a match; the reader compares the decoded instance.

use super::values::encoded;
use crate::protocol::{FORMAT_VERSION, InstanceId};
use crate::store::StoreError;

/// The offset of the instance id.
const AT: usize = 20;

/// The first bytes of messages to an instance.
#[derive(Debug)]
pub(super) struct Address(Vec<u8>);

impl Address {
    pub(super) fn of(instance: &InstanceId) -> Result<Self, StoreError> {
        // After the format version.
        Ok(Self(encoded(instance)?.split_off(1)))
    }

    /// Whether a message that begins like this may be for the instance.
    pub(super) fn may_be_on(&self, message: &[u8]) -> bool {
        match message.split_at_checked(AT) {
            Some(([FORMAT_VERSION, 0x90..=0x9f, 0xc4, 16, ..], rest)) => rest.starts_with(&self.0),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{EventKind, MessageId, TaskMessage};

    #[test]
    fn an_address_distinguishes_recipients() {
        let long = |letter: &str| format!("@counter@{}", letter.repeat(247));
        let ids = ["a", "ab", "a b", "@counter@", "@counter@\u{e9}", &long("x"), &long("\u{e9}")];
        let ids = ids.map(|id| InstanceId::try_from(id.to_owned()).unwrap());
        for to in &ids {
            let (id, execution_id, from) = (MessageId::from_u128(u128::MAX), None, None);
            let event = EventKind::OrchestratorStarted;
            let message = TaskMessage { id, instance_id: to.clone(), execution_id, from, event };
            let message = encoded(&message).unwrap();
            let found = ids.iter().filter(|id| Address::of(id).unwrap().may_be_on(&message));
            assert!(found.eq([to]), "{to}");
        }
        assert!(Address::of(&ids[0]).unwrap().may_be_on(b"whatever this is"), "let it be read");
    }
}
