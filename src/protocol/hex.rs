//! Bytes as hexadecimal digits: digests are told, stored and looked for in this form.

/// Two lower-case digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(super::hex(&[0, 9, 10, 0xf0, 0xff]), "00090af0ff");
        assert_eq!(super::hex(&[]), "");
    }
}
