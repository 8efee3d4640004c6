//! Cutting `MessagePack` that is nested too deeply to be read by recursion.
//!
//! Only a chain of causes nests without bound, and only in data of release 0.1: a cause is the
//! optional `inner` of a failure. Values that are nested too deeply are therefore replaced by nil,
//! which only shortens the chain.

/// The same value, with nil in place of everything nested more than `depth_max` deep; `None` if the
/// bytes are not exactly one value.
pub(super) fn shallow(bytes: &[u8], depth_max: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    // The number of remaining values of each open array and map, outermost first.
    let mut open: Vec<usize> = vec![1];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let item = Item::first_of(rest)?;
        let depth = open.len() - 1;
        if depth < depth_max {
            out.extend_from_slice(rest.get(..item.bytes)?);
        } else if depth == depth_max {
            match item.values {
                Some(_) => out.push(NIL),
                None => out.extend_from_slice(rest.get(..item.bytes)?),
            }
        }
        rest = rest.get(item.bytes..)?;
        open.extend(item.values);
    }
    rest.is_empty().then_some(out)
}

const NIL: u8 = 0xc0;

/// The content of one marker.
struct Item {
    /// The marker, its length and its content; of an array and a map without their values.
    bytes: usize,
    /// The number of values that follow, if it is an array or a map.
    values: Option<usize>,
}

impl Item {
    fn first_of(bytes: &[u8]) -> Option<Self> {
        let marker = *bytes.first()?;
        let length = |size: usize| {
            let digits = bytes.get(1..=size)?;
            Some(digits.iter().fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit)))
        };
        let plain = |bytes| Some(Self { bytes, values: None });
        let text = |size: usize, more: usize| {
            Some(Self { bytes: (1 + size + more).checked_add(length(size)?)?, values: None })
        };
        let of = |size: usize, count: usize| Some(Self { bytes: 1 + size, values: Some(count) });
        let low = |mask: u8| usize::from(marker & mask);
        match marker {
            0x80..=0x8f => of(0, low(0x0f) * 2),
            0x90..=0x9f => of(0, low(0x0f)),
            0xa0..=0xbf => plain(1 + low(0x1f)),
            0xc4 | 0xd9 => text(1, 0),
            0xc5 | 0xda => text(2, 0),
            0xc6 | 0xdb => text(4, 0),
            0xc7 => text(1, 1),
            0xc8 => text(2, 1),
            0xc9 => text(4, 1),
            0xcc | 0xd0 => plain(2),
            0xcd | 0xd1 | 0xd4 => plain(3),
            0xca | 0xce | 0xd2 => plain(5),
            0xcb | 0xcf | 0xd3 => plain(9),
            0xd5 => plain(4),
            0xd6 => plain(6),
            0xd7 => plain(10),
            0xd8 => plain(18),
            0xdc => of(2, length(2)?),
            0xdd => of(4, length(4)?),
            0xde => of(2, length(2)?.checked_mul(2)?),
            0xdf => of(4, length(4)?.checked_mul(2)?),
            // Small numbers, nil, booleans.
            _ => plain(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `depth` arrays in each other, around a number.
    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = vec![0x91; depth];
        bytes.push(7);
        bytes
    }

    #[test]
    fn too_deep_values_become_nil_and_the_rest_stays() {
        assert_eq!(shallow(&nested(3), 3).unwrap(), nested(3));
        assert_eq!(shallow(&nested(4), 3).unwrap(), [0x91, 0x91, 0x91, NIL]);
        assert_eq!(shallow(&nested(1_000_000), 2).unwrap(), [0x91, 0x91, NIL]);
        let beside = [0x93, 0xa2, b'h', b'i', 0x91, 0x91, 0x91, 1, 0xcd, 1, 2];
        let kept = [0x93, 0xa2, b'h', b'i', 0x91, NIL, 0xcd, 1, 2];
        assert_eq!(shallow(&beside, 2).unwrap(), kept);
    }

    #[test]
    fn every_kind_of_value_is_copied() {
        type All = (Vec<(u64, i64, f32, f64, bool)>, String, Option<Vec<u8>>, [Option<()>; 17]);
        let number = |bits: u32| 1_u64 << bits;
        for bits in 0..63 {
            let some = (number(bits), -(1_i64 << bits), 1.5, 2.5, true);
            let all: All = (vec![some; 20], "x".repeat(70_000 >> (bits / 4)), None, [None; 17]);
            let bytes = rmp_serde::to_vec(&all).unwrap();
            assert_eq!(shallow(&bytes, 100).unwrap(), bytes);
            assert_eq!(rmp_serde::from_slice::<All>(&bytes).unwrap(), all);
        }
    }

    #[test]
    fn truncated_or_trailing_bytes_are_refused() {
        for bytes in [&[][..], &[0x92, 1], &[0xa5, b'x'], &[0xdb, 255, 255, 255, 255], &[1, 2]] {
            assert_eq!(shallow(bytes, 10), None, "{bytes:?}");
        }
    }
}
