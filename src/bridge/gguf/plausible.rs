//! Counts of a header that llama.cpp takes at their word and ends the whole process over (`GGML_ASSERT`)
//! where they are wrong. They are refused before it sees the file.

use super::header::Header;
use super::header::Value;

/// `LLAMA_MAX_LAYERS` and `LLAMA_MAX_EXPERTS` of llama.cpp.
const MOST: u64 = 512;

/// What cannot be right about a header; `None`: nothing that is known to be harmful.
pub(super) fn objection(header: &Header) -> Option<String> {
    let key = |name: &str| format!("`{}.{name}`", header.architecture);
    if let Some(blocks) = header.count("block_count")
        && !(1..=MOST).contains(&blocks)
    {
        return Some(format!("{} is {blocks}", key("block_count")));
    }
    if let Some(experts) = header.count("expert_count").filter(|experts| *experts > MOST) {
        return Some(format!("{} is {experts}", key("expert_count")));
    }
    if let Some(rotated) = header.count("rope.dimension_count") {
        let heads = header.count("attention.head_count").unwrap_or(0);
        let head = header.embedding_length().checked_div(heads);
        let head = header.count("attention.key_length").or(head).unwrap_or(u64::MAX);
        if rotated == 0 || rotated % 2 != 0 || rotated > head {
            return Some(format!("{} is {rotated}", key("rope.dimension_count")));
        }
    }

    header.metadata.iter().find_map(|(name, value)| match value {
        Value::Float(value) if name.ends_with("epsilon") && !(0.0..1.0).contains(value) => {
            Some(format!("`{name}` is {value}"))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::objection;
    use crate::bridge::gguf::header::Header;
    use crate::bridge::gguf::header::Value;

    fn header(changed: &[(&str, Value)]) -> Header {
        let usual = [
            ("block_count", Value::Unsigned(2)),
            ("embedding_length", Value::Unsigned(64)),
            ("attention.head_count", Value::Unsigned(4)),
            ("attention.layer_norm_rms_epsilon", Value::Float(1e-5)),
            ("rope.dimension_count", Value::Unsigned(16)),
        ];
        let all = usual.iter().chain(changed);
        Header {
            architecture: "llama".to_owned(),
            name: None,
            file_size: 0,
            weights: 0,
            parameters: 0,
            metadata: all.map(|(key, value)| (format!("llama.{key}"), value.clone())).collect(),
        }
    }

    #[test]
    fn what_would_end_the_process_is_refused() {
        assert_eq!(objection(&header(&[])), None);
        for (key, value) in [
            ("block_count", Value::Unsigned(0)),
            ("block_count", Value::Unsigned(513)),
            ("expert_count", Value::Unsigned(1000)),
            ("rope.dimension_count", Value::Unsigned(0)),
            ("rope.dimension_count", Value::Unsigned(15)),
            ("rope.dimension_count", Value::Unsigned(18)),
            ("attention.layer_norm_rms_epsilon", Value::Float(-1.0)),
            ("attention.layer_norm_epsilon", Value::Float(f64::NAN)),
        ] {
            let told = objection(&header(&[(key, value)])).unwrap();
            assert!(told.starts_with(&format!("`llama.{key}` is ")), "{told}");
        }
    }
}
