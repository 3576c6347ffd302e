//! The module itself: its functions, its errors, and how it gets into the interpreter.

use std::collections::BTreeMap;
use std::ffi::CString;

use pyo3::exceptions::PyRuntimeError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::types::PyList;

use super::context_class::PyContext;
use super::encoder_class::PyEncoder;
use super::job_classes::PyGeneration;
use super::job_classes::PyJob;
use super::job_classes::PyLoad;
use super::job_classes::PyVectors;
use super::model_class::PyModel;
use super::raw;
use super::raw::Failure;
use crate::bridge::gguf;
use crate::bridge::gguf::Header;
use crate::bridge::gguf::Source;
use crate::bridge::gguf::Value;

pyo3::create_exception!(_agi_llama, KernelError, PyRuntimeError);
pyo3::create_exception!(_agi_llama, TooLargeError, KernelError);

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        KernelError::new_err(failure.0)
    }
}

/// Puts the module into CPython's table of built-in ones. Before the interpreter starts.
pub(in super::super) fn register() {
    pyo3::append_to_inittab!(_agi_llama);
}

/// Name of the kernels that this processor runs.
pub(in super::super) fn kernel() -> String {
    raw::kernel()
}

#[pymodule(gil_used = true)]
fn _agi_llama(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("KernelError", py.get_type::<KernelError>())?;
    module.add("TooLargeError", py.get_type::<TooLargeError>())?;
    module.add_class::<PyJob>()?;
    module.add_class::<PyLoad>()?;
    module.add_class::<PyVectors>()?;
    module.add_class::<PyGeneration>()?;
    module.add_class::<PyModel>()?;
    module.add_class::<PyContext>()?;
    module.add_class::<PyEncoder>()?;
    module.add_function(wrap_pyfunction!(load, module)?)?;
    module.add_function(wrap_pyfunction!(header, module)?)?;
    module.add_function(wrap_pyfunction!(estimate, module)?)?;
    module.add_function(wrap_pyfunction!(bundled, module)?)?;
    module.add_function(wrap_pyfunction!(cpu, module)?)?;
    module.add_function(wrap_pyfunction!(limit_cpu, module)?)
}

#[pyfunction]
#[pyo3(signature = (source, *, mmap = true, check_memory = true))]
fn load(py: Python<'_>, source: String, mmap: bool, check_memory: bool) -> PyResult<Py<PyLoad>> {
    let found = find(&source)?;
    PyLoad::start(py, source, found, mmap, check_memory)
}

pub(super) fn find(source: &str) -> PyResult<Source> {
    Source::find(source).map_err(|error| KernelError::new_err(error.to_string()))
}

fn read(source: &str) -> PyResult<Header> {
    gguf::read(&find(source)?).map_err(|error| KernelError::new_err(error.to_string()))
}

#[pyfunction]
fn header<'py>(py: Python<'py>, source: &str) -> PyResult<Bound<'py, PyDict>> {
    let header = read(source)?;
    let dict = PyDict::new(py);
    dict.set_item("architecture", &header.architecture)?;
    dict.set_item("name", &header.name)?;
    dict.set_item("file_size", header.file_size)?;
    dict.set_item("weights", header.weights)?;
    dict.set_item("parameters", header.parameters)?;
    dict.set_item("context_length", header.context_length())?;
    dict.set_item("embedding_length", header.embedding_length())?;
    dict.set_item("blocks", header.count("block_count").unwrap_or(0))?;
    dict.set_item("cache_per_token", header.cache_per_token())?;
    dict.set_item("metadata", metadata(py, &header.metadata)?)?;
    Ok(dict)
}

fn metadata<'py>(
    py: Python<'py>,
    values: &BTreeMap<String, Value>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in values {
        dict.set_item(key, object(py, value)?)?;
    }
    Ok(dict)
}

fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Unsigned(value) | Value::Long(value) => value.into_pyobject(py)?.into_any(),
        Value::Signed(value) => value.into_pyobject(py)?.into_any(),
        Value::Float(value) => value.into_pyobject(py)?.into_any(),
        Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Value::Text(value) => value.into_pyobject(py)?.into_any(),
        Value::Array(values) => {
            let items = values.iter().map(|one| object(py, one)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any()
        }
    })
}

/// Whether `kv_type` means eight bits; other names are refused.
pub(super) fn quantised(kv_type: &str) -> PyResult<bool> {
    match kv_type {
        "f16" => Ok(false),
        "q8_0" => Ok(true),
        _ => Err(PyValueError::new_err(format!("`kv_type` is `f16` or `q8_0`, not `{kv_type}`"))),
    }
}

#[pyfunction]
#[pyo3(signature = (source, n_ctx, kv_type = "f16"))]
fn estimate<'py>(
    py: Python<'py>,
    source: &str,
    n_ctx: u64,
    kv_type: &str,
) -> PyResult<Bound<'py, PyDict>> {
    let estimate = gguf::estimate(&read(source)?, n_ctx, quantised(kv_type)?);
    let dict = PyDict::new(py);
    dict.set_item("weights", estimate.weights)?;
    dict.set_item("cache", estimate.cache)?;
    dict.set_item("compute", estimate.compute)?;
    dict.set_item("total", estimate.total)?;
    dict.set_item("available", estimate.available.unwrap_or(u64::MAX))?;
    Ok(dict)
}

#[pyfunction]
fn bundled(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for model in gguf::appended() {
        let dict = PyDict::new(py);
        dict.set_item("name", &model.name)?;
        dict.set_item("size", model.size)?;
        list.append(dict)?;
    }
    Ok(list)
}

#[pyfunction]
fn cpu(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let (version, system) = raw::facts();
    // `CPU : SSE3 = 1 | AVX = 1 | … |`
    let on = |part: &str| Some(part.trim().strip_suffix("= 1")?.trim().to_owned());
    let listed = system.split_once(':').map_or(system.as_str(), |(_, list)| list);
    let features: Vec<String> = listed.split('|').filter_map(on).collect();
    let dict = PyDict::new(py);
    dict.set_item("kernel", raw::kernel())?;
    dict.set_item("features", features)?;
    dict.set_item("version", version)?;
    Ok(dict)
}

/// For tests: take no faster kernels than these. Before the first model is loaded.
#[pyfunction]
fn limit_cpu(name: &str) -> PyResult<()> {
    let known = CString::new(name).is_ok_and(|name| raw::limit_kernel(&name));
    if known { Ok(()) } else { Err(PyValueError::new_err(format!("no kernel `{name}`"))) }
}
