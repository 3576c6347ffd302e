//! The packed modules of the release as CPython's own table of frozen modules.
//!
//! `PyOxidizer` packed standard library, dependencies and `agi_agent` into one blob; its bytecode is
//! borrowed from the binary, so that nothing is copied, unpacked or read from a disk. CPython's
//! frozen importer does the rest: no importer of ours. It knows modules only, so data files of
//! packages come through [`resource_reader`], which `importlib.resources` asks for.

#![expect(unsafe_code, reason = "CPython takes the table as a global pointer")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::OnceLock;

use pyo3::exceptions::PyFileNotFoundError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use python_packed_resources::Resource;
use python_packed_resources::load_resources;

static BLOB: &[u8] = include_bytes!(env!("AGI_PACKED_RESOURCES"));

/// Stands for a directory that cannot exist: packages must not find parts of themselves on a disk.
pub(super) const NOWHERE: &str = "/dev/null/agi-agent";

/// Data files by their path from the top, as `agi_agent/local/templates/plain.jinja`.
type Data = BTreeMap<String, Cow<'static, [u8]>>;

static DATA: OnceLock<Data> = OnceLock::new();

/// Gives CPython the table. Before the interpreter is configured, once.
pub(super) fn install() -> Result<(), String> {
    let (modules, data) = parse().map_err(|reason| format!("the packed modules: {reason}"))?;
    let table = Box::leak(modules.into_boxed_slice());
    DATA.set(data).ok();
    // SAFETY: no interpreter runs yet, and the table and all it points to live as long as the
    // process.
    unsafe { ffi::PyImport_FrozenModules = table.as_ptr() };
    Ok(())
}

fn parse() -> Result<(Vec<ffi::_frozen>, Data), &'static str> {
    let resources = load_resources(BLOB)?;
    let count = resources.expected_resources_count();
    let mut early = Vec::with_capacity(count + 1);
    let mut modules = Vec::with_capacity(count);
    // Names with the zero byte that C wants, in one piece; the room is an estimate.
    let mut names = Names::with_capacity(count * 24);
    let mut data = Data::new();
    for resource in resources {
        let Resource {
            name,
            is_python_module,
            is_python_package,
            in_memory_bytecode,
            in_memory_package_resources,
            ..
        } = resource?;
        let Cow::Borrowed(name) = name else { return Err("a name was copied") };
        if let Some(files) = in_memory_package_resources {
            let prefix = prefix_of(name);
            data.extend(files.into_iter().map(|(file, bytes)| (format!("{prefix}{file}"), bytes)));
        }
        let Some(Cow::Borrowed(code)) = in_memory_bytecode.filter(|_| is_python_module) else {
            continue;
        };
        let place = if is_early(name) { &mut early } else { &mut modules };
        place.push(ffi::_frozen {
            name: names.leak(name),
            code: code.as_ptr(),
            size: c_int::try_from(code.len()).map_err(|_| "a module is larger than 2 GB")?,
            is_package: c_int::from(is_python_package),
        });
    }
    early.append(&mut modules);
    early.push(ffi::_frozen {
        name: std::ptr::null(),
        code: std::ptr::null(),
        size: 0,
        is_package: 0,
    });
    Ok((early, data))
}

/// CPython looks through the table from its front at each import, so that what every start needs
/// stands there.
fn is_early(name: &str) -> bool {
    const EARLY: [&str; 9] = [
        "__future__",
        "_sitebuiltins",
        "abc",
        "codecs",
        "encodings",
        "encodings.aliases",
        "encodings.utf_8",
        "io",
        "zipimport",
    ];
    EARLY.contains(&name) || name.starts_with("agi_agent")
}

/// Zero-terminated names that are never freed, many to an allocation.
struct Names {
    room: Vec<u8>,
}

impl Names {
    fn with_capacity(bytes: usize) -> Self {
        Self { room: Vec::with_capacity(bytes) }
    }

    fn leak(&mut self, name: &str) -> *const std::ffi::c_char {
        if self.room.capacity() - self.room.len() <= name.len() {
            let size = name.len().max(4096) + 1;
            std::mem::replace(&mut self.room, Vec::with_capacity(size)).leak();
        }
        let start = self.room.len();
        self.room.extend_from_slice(name.as_bytes());
        self.room.push(0);
        // The buffer never grows in place (room was made above), so that the pointer stays valid.
        self.room[start..].as_ptr().cast()
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        std::mem::take(&mut self.room).leak();
    }
}

/// Attaches the last loose ends of the frozen importer, right after the start.
pub(super) fn complete(py: Python<'_>) -> PyResult<()> {
    py.import("sys")?.setattr("_stdlib_dir", py.None())?;
    py.import("encodings")?.getattr("__path__")?.call_method0("clear")?;
    let importer = py.import("_frozen_importlib")?.getattr("FrozenImporter")?;
    importer.setattr("get_resource_reader", wrap_pyfunction!(resource_reader, py)?)
}

/// What stands before the data files of a package and of those below it.
fn prefix_of(package: &str) -> String {
    format!("{}/", package.replace('.', "/"))
}

/// What `importlib.resources` asks a loader for; `None`: this package has no data files, nor has one
/// below it.
#[pyfunction]
fn resource_reader<'py>(py: Python<'py>, package: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(data) = DATA.get() else { return Ok(None) };
    let prefix = prefix_of(package);
    let below = data.range(prefix.clone()..).map(|(path, _)| path.strip_prefix(&prefix));
    let names: Vec<&str> = below.map_while(|name| name).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let read = wrap_pyfunction!(read_resource, py)?;
    let reader = py.import("agi_agent._resources")?.getattr("PackedReader")?;
    reader.call1((package, names, read)).map(Some)
}

/// The bytes of one data file.
#[pyfunction]
fn read_resource<'py>(py: Python<'py>, package: &str, name: &str) -> PyResult<Bound<'py, PyBytes>> {
    DATA.get()
        .and_then(|data| data.get(&format!("{}{name}", prefix_of(package))))
        .map(|bytes| PyBytes::new(py, bytes))
        .ok_or_else(|| PyFileNotFoundError::new_err(format!("no `{name}` in `{package}`")))
}
