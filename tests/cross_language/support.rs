//! What the tests of the border share: a runtime per call, operations that misbehave, a process of
//! one's own.

use std::process::Command;
use std::sync::Once;
use std::time::Duration;

use agi_agent::bridge::Answer;
use agi_agent::bridge::BridgeError;
use agi_agent::bridge::Python;
use bytes::Bytes;
use pyo3::types::PyAnyMethods;

/// Operations that no product has: they do what the border has to survive.
const OPERATIONS: &std::ffi::CStr = cr#"
from agi_agent import _entry, _errors, _trace

def fail(kind):
    if kind == "value": raise ValueError("bad luck")
    if kind == "nameless": raise LookupError
    if kind == "recursion":
        def deeper(): return deeper() + 1
        return deeper()
    if kind == "memory": return len(bytes(2**62))
    if kind == "exit": raise SystemExit(3)
    if kind == "interrupt": raise KeyboardInterrupt
    if kind == "surrogate": raise ValueError("half \ud83d")
    if kind == "unprintable":
        class Unprintable(Exception):
            def __str__(self): raise ValueError
        raise Unprintable
    raise {c.kind: c for c in all_errors()}[kind]("one line", hint="try this")

def all_errors():
    return [c for c in vars(_errors).values() if isinstance(c, type) and issubclass(c, Exception)]

def loop(stubborn):
    while stubborn:
        try:
            for _ in iter(int, 1): int()
        except BaseException:
            pass
    while True: pass

def sleep(seconds):
    import time
    time.sleep(seconds)

def bundled(path):
    from importlib import resources
    place = resources.files("agi_agent")
    for name in path:
        if name not in [entry.name for entry in place.iterdir()]: return None
        place = place / name
    return place.read_text("utf-8")

def repeat(count): return "x" * count
def nest(depth):
    value = []
    for _ in range(depth): value = [value]
    return value
def address(payload, buffers):
    import ctypes
    places = []
    for view in buffers:
        import _ctypes
        places.append(_address(view))
    return places, []
def _address(view):
    import ctypes
    class Buffer(ctypes.Structure):
        _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t),
            ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
            ("format", ctypes.c_char_p), ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p),
            ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p)]
    buffer = Buffer()
    get = ctypes.pythonapi.PyObject_GetBuffer
    get.argtypes = [ctypes.py_object, ctypes.POINTER(Buffer), ctypes.c_int]
    get(view, ctypes.byref(buffer), 0)
    place = buffer.buf
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
    return place

class Tracked(bytearray):
    alive = 0
    def __new__(cls, size):
        Tracked.alive += 1
        return super().__new__(cls, size)
    def __del__(self):
        import threading
        Tracked.alive -= 1
        Tracked.thread = threading.get_ident()

def make(size, buffers):
    import ctypes
    data = Tracked(size)
    data[:] = b"\x2a" * size
    view = memoryview(data).toreadonly()
    return _address(view), [view]

def tracked(payload):
    import threading
    return [Tracked.alive, getattr(Tracked, "thread", None) == threading.get_ident()]

def writable(payload, buffers): return None, [bytearray(b"x")]
def strided(payload, buffers): return None, [memoryview(b"abcdef")[::2]]
def write_into(payload, buffers): buffers[0][0] = 1
def keep(payload, buffers):
    keep.views = buffers
    return None, []
def kept(payload): return bytes(keep.views[0][:4]).decode()
def spans(payload):
    with _trace.span("inner"): pass
def collected(payload): return len(_trace.finished)
def thread(payload):
    import threading
    return threading.get_ident()

for function in (fail, loop, sleep, repeat, bundled, nest, tracked, kept, spans, collected, thread):
    _entry.OPERATIONS["test." + function.__name__] = function
for function in (address, make, writable, strided, write_into, keep):
    _entry.BUFFER_OPERATIONS["test." + function.__name__] = function
"#;

/// The interpreter with the operations above.
pub(crate) fn python() -> Python {
    static LOADED: Once = Once::new();
    let python = Python::shared();
    LOADED.call_once(|| {
        block_on(python.call("health", "null".to_owned(), Vec::new())).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test adds operations the product lacks")]
        pyo3::Python::attach(|py| {
            let module = pyo3::types::PyModule::new(py, "operations").unwrap();
            py.run(
                OPERATIONS,
                Some(&module.getattr("__dict__").unwrap().cast_into().unwrap()),
                None,
            )
            .unwrap();
        });
    });
    python
}

/// One call with the deadline of the product.
pub(crate) fn call(
    op: &'static str,
    payload: &str,
    buffers: Vec<Bytes>,
) -> Result<Answer, BridgeError> {
    let python = python();
    block_on(python.call(op, payload.to_owned(), buffers))
}

/// One call that may take `limit`.
pub(crate) fn call_within(
    limit: Duration,
    op: &'static str,
    payload: &str,
) -> Result<Answer, BridgeError> {
    let python = python();
    block_on(python.call_within(limit, op, payload.to_owned(), Vec::new()))
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Runs the test `name` (its full name) in a process of its own, where `body` may ruin the interpreter.
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    const MARK: &str = "AGI_TEST_ALONE";
    #[expect(clippy::disallowed_methods, reason = "tells the child from the parent")]
    let child = std::env::var_os(MARK).is_some();
    if child {
        body();
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "`{name}` is not the name of a test: {text}");
}
