//! The creation time in the stored record of an instance, read without decoding the record.

use bytes::Buf;

use super::super::values;
use crate::protocol::{InstanceRecord, Timestamp};
use crate::store::StoreError;

/// The creation time in a record. A commit reads this time of every record, so a record that has
/// the usual form is not decoded as a whole.
pub(in super::super) fn created_at(record: &[u8]) -> Result<Timestamp, StoreError> {
    match created_at_of_usual(record) {
        Some(at) => Ok(at),
        None => {
            let record: InstanceRecord = values::read("the record of an instance", record)?;
            Ok(record.created_at)
        }
    }
}

/// The creation time in a record as this release writes it: the format, and a `MessagePack` array
/// in which the time follows five strings, byte strings or nils.
fn created_at_of_usual(record: &[u8]) -> Option<Timestamp> {
    let mut rest = record.get(1..)?;
    match rest.try_get_u8().ok()? {
        0x96..=0x9f => {}
        0xdc if rest.try_get_u16().ok()? > 5 => {}
        _ => return None,
    }
    for _field in 0..5 {
        let length = match rest.try_get_u8().ok()? {
            0xc0 => 0,
            fixed @ 0xa0..=0xbf => usize::from(fixed & 0x1f),
            0xc4 | 0xd9 => usize::from(rest.try_get_u8().ok()?),
            0xc5 | 0xda => usize::from(rest.try_get_u16().ok()?),
            _ => return None,
        };
        rest = rest.get(length..)?;
    }
    match rest.try_get_u8().ok()? {
        // All times after September 2001 and before 1970 - 71 minutes take 8 bytes.
        0xcf => Timestamp::from_micros(rest.try_get_u64().ok()?.try_into().ok()?),
        0xd3 => Timestamp::from_micros(rest.try_get_i64().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ExecutionId, InstanceId, Json};
    use crate::store::sled::values::encoded;

    #[test]
    fn the_creation_time_is_read_without_decoding_the_record() {
        let long = "x".repeat(200);
        for id in ["a", "order-17", &long] {
            for (name, version) in [("checkout", None), (&*long, Some(long.clone()))] {
                for micros in [1_767_484_800_000_000, 0, -1, 70_000, -62_135_596_800_000_000] {
                    let at = Timestamp::from_micros(micros).unwrap();
                    let (id, execution) = (InstanceId::new(id).unwrap(), ExecutionId::generate());
                    let mut record = InstanceRecord::new(id, execution, name, version.clone(), at);
                    record.custom_status = Some(Json::null());
                    let bytes = encoded(&record).unwrap();
                    assert_eq!(created_at(&bytes).unwrap(), at);
                    let is_usual = micros.unsigned_abs() > u64::from(u32::MAX);
                    assert_eq!(created_at_of_usual(&bytes).is_some(), is_usual);
                }
            }
        }
    }
}
