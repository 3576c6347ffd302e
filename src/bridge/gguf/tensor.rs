//! How many bytes a tensor takes, by its type: so that a file that was cut is known from its header.

/// Type, values per block, bytes per block: ggml's `type_traits`
/// (<https://github.com/ggml-org/ggml/blob/master/src/ggml.c>). Types without an entry are not checked.
const TYPES: [(u32, u64, u64); 32] = [
    (0, 1, 4),
    (1, 1, 2),
    (2, 32, 18),
    (3, 32, 20),
    (6, 32, 22),
    (7, 32, 24),
    (8, 32, 34),
    (9, 32, 36),
    (10, 256, 84),
    (11, 256, 110),
    (12, 256, 144),
    (13, 256, 176),
    (14, 256, 210),
    (15, 256, 292),
    (16, 256, 66),
    (17, 256, 74),
    (18, 256, 98),
    (19, 256, 50),
    (20, 32, 18),
    (21, 256, 110),
    (22, 256, 82),
    (23, 256, 136),
    (24, 1, 1),
    (25, 1, 2),
    (26, 1, 4),
    (27, 1, 8),
    (28, 1, 8),
    (29, 256, 56),
    (30, 1, 2),
    (34, 256, 54),
    (35, 256, 66),
    (39, 32, 17),
];

/// Bytes of `elements` values of a type; `None` where the type is not known here.
pub(super) fn bytes(kind: u32, elements: u64) -> Option<u64> {
    let (_, values, bytes) = TYPES.iter().find(|(number, ..)| *number == kind)?;
    Some(elements.div_ceil(*values).saturating_mul(*bytes))
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn types_are_counted_in_blocks() {
        for (kind, elements, expected) in [(0, 3, 12), (8, 64, 68), (8, 65, 102), (14, 256, 210)] {
            assert_eq!(bytes(kind, elements), Some(expected), "{kind}");
        }
        assert_eq!(bytes(0, u64::MAX), Some(u64::MAX));
        assert_eq!(bytes(4, 1), None, "a type that was given up");
    }
}
