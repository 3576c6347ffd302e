//! Counts of a header that llama.cpp takes at their word and ends the whole process over (`GGML_ASSERT`)
//! where they are wrong. They are refused before it sees the file.

use super::header::Header;
use super::header::Value;

/// `LLAMA_MAX_LAYERS` and `LLAMA_MAX_EXPERTS` of llama.cpp.
const MOST: u64 = 512;

/// Architectures whose graph demands that all of a head is rotated, and that keys are as long as
/// values: those of the families that are used here and their relatives.
const WHOLE_HEADS: [&str; 10] = [
    "llama",
    "llama4",
    "mistral3",
    "qwen2",
    "qwen2moe",
    "qwen2vl",
    "qwen3",
    "qwen3moe",
    "qwen3vl",
    "qwen3vlmoe",
];
/// Of these, those whose heads make up the embedding exactly.
const WHOLE_EMBEDDINGS: [&str; 3] = ["qwen2", "qwen2moe", "qwen2vl"];
/// `LLAMA_POOLING_TYPE_RANK`, the last way to make one vector of those of the tokens.
const LAST_POOLING: u64 = 4;
/// ggml's number of 32-bit floats.
const F32: u32 = 0;

/// What is looked at while a header is read, and not kept with it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The vocabulary has tokens that stand for bytes.
    pub(super) byte_tokens: bool,
    /// A tensor that cannot be added or multiplied in the type that it has.
    odd: Option<String>,
}

impl Seen {
    /// Biases, norms and kinds of tokens are added to what is computed, which is 32-bit floats.
    pub(super) fn tensor(&mut self, name: &str, dimensions: u32, kind: u32) {
        let added = [".bias", "norm.weight"].iter().any(|end| name.ends_with(end));
        if kind != F32 && (dimensions <= 1 && added || name == "token_types.weight") {
            self.odd.get_or_insert_with(|| format!("tensor `{name}` is not of 32 bits"));
        }
    }
}

/// What cannot be right about a header; `None`: nothing that is known to be harmful.
pub(super) fn objection(header: &Header, seen: &Seen) -> Option<String> {
    let key = |name: &str| format!("`{}.{name}`", header.architecture);
    if let Some(blocks) = header.count("block_count")
        && !(1..=MOST).contains(&blocks)
    {
        return Some(format!("{} is {blocks}", key("block_count")));
    }
    if let Some(experts) = header.count("expert_count").filter(|experts| *experts > MOST) {
        return Some(format!("{} is {experts}", key("expert_count")));
    }
    if let Some(pooling) = header.count("pooling_type").filter(|pooling| *pooling > LAST_POOLING) {
        return Some(format!("{} is {pooling}", key("pooling_type")));
    }
    let words = header.metadata.get("tokenizer.ggml.model");
    if seen.byte_tokens && words == Some(&Value::Text("bert".to_owned())) {
        return Some("a vocabulary of words (`bert`) has tokens that stand for bytes".to_owned());
    }
    let epsilon = header.metadata.iter().find_map(|(name, value)| match value {
        Value::Float(value) if name.ends_with("epsilon") && !(0.0..1.0).contains(value) => {
            Some(format!("`{name}` is {value}"))
        }
        _ => None,
    });
    epsilon.or_else(|| heads(header)).or_else(|| seen.odd.clone())
}

/// What cannot be right about the sizes of the attention's heads.
fn heads(header: &Header) -> Option<String> {
    let architecture = header.architecture.as_str();
    let key = |name: &str| format!("`{architecture}.{name}`");
    let count = header.count("attention.head_count");
    let embedding = header.embedding_length();
    let usual = count.and_then(|count| embedding.checked_div(count));
    let length = header.count("attention.key_length").or(usual);
    let whole = WHOLE_HEADS.contains(&architecture);
    if let Some(rotated) = header.count("rope.dimension_count") {
        let most = length.unwrap_or(u64::MAX);
        if rotated == 0 || rotated % 2 != 0 || rotated > most {
            return Some(format!("{} is {rotated}", key("rope.dimension_count")));
        }
        if whole && length.is_some_and(|length| rotated != length) {
            return Some(format!(
                "{} is {rotated}, and a head has {most} numbers",
                key("rope.dimension_count")
            ));
        }
    }
    let (count, length) = (count?, length?);
    let values = header.count("attention.value_length").or(usual)?;
    if whole && values != length {
        return Some(format!("keys have {length} numbers per head, values {values}"));
    }
    if WHOLE_EMBEDDINGS.contains(&architecture) && count.checked_mul(length) != Some(embedding) {
        return Some(format!(
            "{} is {count}: heads of {length} numbers do not make up the embedding of {embedding}",
            key("attention.head_count")
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::F32;
    use super::Seen;
    use super::objection;
    use crate::bridge::gguf::header::Header;
    use crate::bridge::gguf::header::Value;

    fn header(architecture: &str, changed: &[(&str, Value)]) -> Header {
        let usual = [
            ("block_count", Value::Unsigned(2)),
            ("embedding_length", Value::Unsigned(64)),
            ("attention.head_count", Value::Unsigned(4)),
            ("attention.layer_norm_rms_epsilon", Value::Float(1e-5)),
            ("rope.dimension_count", Value::Unsigned(16)),
        ];
        let all = usual.iter().chain(changed);
        let named = |(key, value): &(&str, Value)| {
            let general = key.starts_with("tokenizer.");
            let key = if general { (*key).to_owned() } else { format!("{architecture}.{key}") };
            (key, value.clone())
        };
        Header {
            architecture: architecture.to_owned(),
            name: None,
            file_size: 0,
            weights: 0,
            parameters: 0,
            metadata: all.map(named).collect(),
        }
    }

    #[test]
    fn what_would_end_the_process_is_refused() {
        let fine = Seen::default();
        assert_eq!(objection(&header("llama", &[]), &fine), None);
        for (key, value) in [
            ("block_count", Value::Unsigned(0)),
            ("block_count", Value::Unsigned(513)),
            ("expert_count", Value::Unsigned(1000)),
            ("pooling_type", Value::Unsigned(5)),
            ("rope.dimension_count", Value::Unsigned(0)),
            ("rope.dimension_count", Value::Unsigned(15)),
            ("rope.dimension_count", Value::Unsigned(18)),
            ("attention.layer_norm_rms_epsilon", Value::Float(-1.0)),
            ("attention.layer_norm_epsilon", Value::Float(f64::NAN)),
        ] {
            let told = objection(&header("llama", &[(key, value)]), &fine).unwrap();
            assert!(told.starts_with(&format!("`llama.{key}` is ")), "{told}");
        }
    }

    #[test]
    fn heads_are_whole_where_the_graph_wants_them_whole() {
        let fine = Seen::default();
        let part = [("rope.dimension_count", Value::Unsigned(8))];
        let told = objection(&header("qwen3", &part), &fine).unwrap();
        assert_eq!(told, "`qwen3.rope.dimension_count` is 8, and a head has 16 numbers");
        assert_eq!(objection(&header("stablelm", &part), &fine), None);
        let long = [("attention.value_length", Value::Unsigned(32))];
        let told = objection(&header("qwen3", &long), &fine).unwrap();
        assert_eq!(told, "keys have 16 numbers per head, values 32");
        assert_eq!(objection(&header("gemma3", &long), &fine), None);
        let own = [
            ("attention.key_length", Value::Unsigned(32)),
            ("attention.value_length", Value::Unsigned(32)),
            ("rope.dimension_count", Value::Unsigned(32)),
        ];
        let told = objection(&header("qwen2", &own), &fine).unwrap();
        assert!(told.ends_with("do not make up the embedding of 64"), "{told}");
        assert_eq!(objection(&header("qwen3", &own), &fine), None);
    }

    #[test]
    fn tensors_and_tokens_that_cannot_be_computed_are_refused() {
        let mut seen = Seen::default();
        seen.tensor("blk.0.ffn_norm.weight", 1, F32);
        seen.tensor("blk.0.ffn_up.weight", 2, 8);
        assert_eq!(objection(&header("llama", &[]), &seen), None);
        seen.tensor("blk.0.ffn_norm.bias", 1, 1);
        let told = objection(&header("llama", &[]), &seen).unwrap();
        assert_eq!(told, "tensor `blk.0.ffn_norm.bias` is not of 32 bits");
        let bytes = Seen { byte_tokens: true, ..Seen::default() };
        let words = |kind: &str| [("tokenizer.ggml.model", Value::Text(kind.to_owned()))];
        assert_eq!(objection(&header("llama", &words("llama")), &bytes), None);
        assert!(objection(&header("bert", &words("bert")), &bytes).is_some());
    }
}
