"""The function that Rust calls: what it loads, what it refuses, what it measures."""

from __future__ import annotations

import pytest

import agi_agent
from agi_agent import _entry, _errors, _trace


def test_start_imports_almost_nothing(fresh_python):
    code = """
before = set(sys.modules)
from agi_agent import _entry
_entry.handle("health", "null", [])
print(*sorted(set(sys.modules) - before))
"""
    assert set(fresh_python(code).split()) <= {
        "__future__", "_json", "agi_agent", "agi_agent._entry", "agi_agent._errors",
        "agi_agent._json_text", "agi_agent._trace", "gc", "time",
    }  # fmt: skip


def test_the_collector_is_turned_on_with_its_threshold(fresh_python):
    code = """
import gc
gc.disable()
from agi_agent import _entry
print(gc.isenabled(), gc.get_threshold()[0])
"""
    assert fresh_python(code) == "True 20000"


def test_vectors_need_no_templates(fresh_python):
    code = """
before = set(sys.modules)
from agi_agent.local import embedding
print(*sorted(set(sys.modules) - before))
"""
    assert set(fresh_python(code).split()) <= {
        "__future__", "agi_agent", "agi_agent._errors", "agi_agent.local",
        "agi_agent.local._kernel", "agi_agent.local.embedding",
    }  # fmt: skip


def test_health_and_echo():
    answer, buffers = _entry.handle("health", "null", [])
    assert f'"version":"{agi_agent.__version__}"' in answer
    assert buffers == []
    view = memoryview(b"x")
    assert _entry.handle("echo", ' {"a":1}', [view]) == ('{"a":1}', [view])


def test_versions_agree(repository):
    for file in ("Cargo.toml", "python/pyproject.toml"):
        assert f'version = "{agi_agent.__version__}"' in (repository / file).read_text()


@pytest.mark.parametrize(
    ("op", "payload"), [("echo", "{"), ("no.such", "{}"), ("", "1")]
)
def test_what_cannot_be_carried_out_is_a_payload_error(op, payload):
    with pytest.raises(_errors.PayloadError) as caught:
        _entry.handle(op, payload, [])
    assert caught.value.kind == "payload"


def test_every_operation_that_is_named_exists():
    for op, (module, function) in _entry.MODULES.items():
        loaded = pytest.importorskip(module, reason=f"`{op}` is not there yet")
        assert callable(getattr(loaded, function))


def test_kinds_are_words_of_the_wire():
    from agi_agent import _wire

    words = set(_wire.ModelErrorKind.__args__) | {"exception", "payload"}
    classes = [c for c in vars(_errors).values() if isinstance(c, type)]
    assert len(classes) > 8
    assert {c.kind for c in classes} <= words


def test_spans_are_collected_only_when_asked_for(monkeypatch):
    monkeypatch.setattr(_trace, "finished", [])
    _entry.handle("health", "null", [])
    assert _trace.finished == []
    monkeypatch.setattr(_trace, "enabled", True)
    _entry.handle("health", "null", [])
    ((name, start, duration),) = _trace.finished
    assert name == "health"
    assert start > 0
    assert duration > 0


def test_spans_are_bounded(monkeypatch):
    monkeypatch.setattr(_trace, "finished", [])
    monkeypatch.setattr(_trace, "enabled", True)
    for _ in range(2000):
        with _trace.span("x"):
            pass
    assert len(_trace.finished) == 1000
