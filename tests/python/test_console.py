"""What `agi-agent python` adds to the interpreter, tried each in its own."""

from __future__ import annotations


def test_embedded_gets_the_builtins_that_site_would_add(fresh_python):
    code = """
from agi_agent import _console
_console.prepare(["/first"], None, True, False)
print(sys.path[0], exit, "site" in sys.modules)
"""
    assert fresh_python(code) == "/first Use exit() or Ctrl-D (i.e. EOF) to exit False"


def test_wheels_are_searched_last_and_their_pth_files_are_read(fresh_python, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more.pth").write_text("more\n")
    code = f"""
from agi_agent import _console
_console.prepare([], {str(tmp_path)!r}, True, False)
print(sys.path[-2:] == [{str(tmp_path)!r}, {str(tmp_path / "more")!r}])
"""
    assert fresh_python(code) == "True"


def test_static_flavour_names_the_other_one(fresh_python, tmp_path):
    (tmp_path / "compiled.so").write_bytes(b"\x7fELF")
    code = f"""
from agi_agent import _console
_console.prepare([{str(tmp_path)!r}], None, False, True)
try:
    import compiled
except ImportError as error:
    print(error)
"""
    assert fresh_python(code) == (
        f"`compiled` is an extension module (`{tmp_path / 'compiled.so'}`), which this "
        "statically linked program cannot load; use `agi-agent-gnu python`"
    )


def test_completion(fresh_python):
    code = """
from agi_agent import _console
name_of_mine = {}
print(*map(_console.complete, ("name_of", "name_of_mine.setd", "no.such")))
"""
    assert fresh_python(code) == "['name_of_mine'] ['name_of_mine.setdefault('] []"


def test_ssl_trusts_nothing_but_what_one_variable_names(fresh_python, tmp_path):
    code = f"""
import os
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = {str(tmp_path)!r}
from agi_agent import _console
_console.prepare([], None, False, False)
print("ssl" in sys.modules)
import ssl
context = ssl.create_default_context()
print(context.cert_store_stats()["x509"], ssl.get_default_verify_paths().cafile)
os.environ["SSL_CERT_FILE"], directory = ssl.__file__, os.environ.pop("SSL_CERT_DIR")
print(ssl.create_default_context().cert_store_stats()["x509"])
print(ssl.get_default_verify_paths().capath, ssl.__loader__.name, len(sys.meta_path))
"""
    assert fresh_python(code) == "False\n0 None\n0\nNone ssl 3"
