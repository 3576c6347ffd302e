//! The port `Embedder`: vectors from a model in this process, or from a server.

mod local;
mod remote;

use std::sync::Arc;

pub use local::LocalEmbedder;
pub use remote::RemoteEmbedder;

use crate::bridge::python::worker::Python;
use crate::config::models::embedding::EmbeddingProvider;
use crate::config::models::embedding::EmbeddingSettings;
use crate::network::Client;
use crate::protocol::Embedder;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;

/// The embedder of these settings; starts, loads and connects nothing.
pub fn embedder(
    settings: EmbeddingSettings,
    python: Python,
    client: &Client,
) -> Result<Arc<dyn Embedder>, ModelError> {
    Ok(match settings.provider {
        EmbeddingProvider::Local => Arc::new(LocalEmbedder::new(python, settings)?),
        EmbeddingProvider::Openai => {
            Arc::new(RemoteEmbedder::new(python, client.clone(), settings)?)
        }
    })
}

/// Rows of `dimension` little-endian floats; an error when the bytes are anything else.
fn rows(bytes: &[u8], dimension: usize, count: usize) -> Result<Vec<Vec<f32>>, ModelError> {
    let (floats, rest) = bytes.as_chunks::<4>();
    if dimension == 0 || !rest.is_empty() || floats.len() != dimension * count {
        let message = format!(
            "{count} texts gave {} bytes, not {count} vectors of {dimension} numbers",
            bytes.len()
        );
        return Err(ModelError::new(ModelErrorKind::Malformed, message));
    }
    let row = |row: &[[u8; 4]]| row.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(floats.chunks(dimension).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_rows_or_an_error() {
        let bytes: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(rows(&bytes, 2, 2).unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(rows(&[], 2, 0).unwrap(), Vec::<Vec<f32>>::new());
        for (dimension, count, length) in [(2, 3, 16), (0, 2, 16), (2, 2, 15)] {
            let error = rows(&bytes[..length], dimension, count).unwrap_err();
            assert_eq!(error.kind, ModelErrorKind::Malformed);
        }
    }
}
