//! `Model`: weights and vocabulary, as Python sees them.

use std::ffi::CString;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::types::PyDict;
use pyo3::types::PyString;

use super::raw::Model;
use super::raw::Token;

#[pyclass(frozen, name = "Model", module = "_agi_llama")]
pub(super) struct PyModel {
    source: String,
    model: Arc<Model>,
}

impl PyModel {
    pub(super) fn new(source: String, model: Arc<Model>) -> Self {
        Self { source, model }
    }

    pub(super) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    pub(super) fn source_text(&self) -> &str {
        &self.source
    }
}

#[pymethods]
impl PyModel {
    #[getter]
    fn source(&self) -> &str {
        &self.source
    }

    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (key, value) in self.model.metadata() {
            dict.set_item(key, value)?;
        }
        Ok(dict)
    }

    #[getter]
    fn description(&self) -> String {
        self.model.description()
    }

    #[getter]
    fn context_length(&self) -> i32 {
        self.model.context_length()
    }

    #[getter]
    fn embedding_length(&self) -> i32 {
        self.model.embedding_length()
    }

    #[getter]
    fn vocabulary_size(&self) -> i32 {
        self.model.vocabulary_size()
    }

    #[getter]
    fn parameters(&self) -> u64 {
        self.model.parameters()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.model.size()
    }

    #[getter]
    fn is_encoder(&self) -> bool {
        self.model.is_encoder()
    }

    #[getter]
    fn adds_bos(&self) -> bool {
        self.model.adds_bos()
    }

    #[getter]
    fn special_tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, token) in self.model.special_tokens() {
            dict.set_item(name, token)?;
        }
        Ok(dict)
    }

    #[pyo3(signature = (name = None))]
    fn chat_template(&self, name: Option<&str>) -> PyResult<Option<String>> {
        let name = name
            .map(|name| {
                CString::new(name).map_err(|_| PyValueError::new_err("the name holds a zero byte"))
            })
            .transpose()?;
        Ok(self.model.chat_template(name.as_deref()))
    }

    fn is_end(&self, token: Token) -> bool {
        self.model.is_end(token)
    }

    #[pyo3(signature = (text, *, special = true, markup = false))]
    fn tokenize(
        &self,
        py: Python<'_>,
        text: &Bound<'_, PyAny>,
        special: bool,
        markup: bool,
    ) -> PyResult<Vec<Token>> {
        // Lone surrogates become U+FFFD: they are no text that a model could have seen.
        let lossy = text.cast::<PyString>().map(|text| text.to_string_lossy().into_owned());
        let bytes = match &lossy {
            Ok(text) => text.as_bytes(),
            Err(_) => text
                .cast::<PyBytes>()
                .map_err(|_| PyTypeError::new_err("`text` must be `str` or `bytes`"))?
                .as_bytes(),
        };
        Ok(py.detach(|| self.model.tokenize(bytes, special, markup))?)
    }

    #[pyo3(signature = (tokens, *, markup = false))]
    fn detokenize<'py>(
        &self,
        py: Python<'py>,
        tokens: Vec<Token>,
        markup: bool,
    ) -> Bound<'py, PyBytes> {
        let mut bytes = Vec::new();
        for token in tokens {
            self.model.piece(token, markup, &mut bytes);
        }
        PyBytes::new(py, &bytes)
    }

    fn __repr__(&self) -> String {
        format!("<Model {} ({})>", self.source, self.model.description())
    }
}
