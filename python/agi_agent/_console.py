"""`agi-agent python`: what the bundled interpreter lacks to behave as `python3` does.

`src/bridge/python/console.rs` calls `prepare` between the start of the interpreter and
the person's code, and `complete` when Tab is pressed. It is on the way of every
sandboxed child, so nothing is imported that is not needed.
"""

from __future__ import annotations

import sys

from agi_agent import _store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare(paths: list[str], wheels: str | None, embedded: bool, static: bool) -> bool:
    """Make the interpreter ready for a person.

    Args:
        paths: Directories to search first, as `PYTHONPATH` has them.
        wheels: Directory of the person's own packages, searched last.
        embedded: The standard library is inside the binary, and `site` was not run.
        static: Extension modules cannot be loaded.

    Returns:
        Whether to go on; otherwise what is wrong was written to standard error.
    """
    if embedded:
        paths = paths + _python_path()
        _add_builtins()
    sys.path[:0] = paths
    _store.narrow()
    if wheels is not None:
        _add_wheels(wheels)
    if static:
        _refuse_extensions()
    if sys.argv[:1] == ["-"]:
        _have_no_file()
    if sys.argv[:1] in ([""], ["-"]) or sys.flags.inspect:
        _use_our_line_editor()
    return sys.argv[:1] != ["-m"] or _is_runnable(_module())


def _module() -> str:
    """Name the module of `-m`, which `sys.argv` does not have until it runs."""
    word = sys.orig_argv[-len(sys.argv)]
    return word.partition("m")[2] if word.startswith("-") else word


def _is_runnable(module: str) -> bool:
    """Refuse what installs packages as files of an installation: there is none.

    `venv` would make its directories before it finds that out. A `pip` that is on the
    search path works.
    """
    if module not in ("ensurepip", "pip", "venv"):
        return True
    if module == "pip":
        from importlib.machinery import PathFinder

        if PathFinder.find_spec(module, ["", *sys.path]) is not None:
            return True
    version = "{}.{}".format(*sys.version_info)
    sys.stderr.write(
        f"error: this interpreter is one file and has no `{module}`; packages go into "
        f"a directory: `pip install --target DIR --python-version {version} "
        "--only-binary=:all: PACKAGE`, then `agi-agent-gnu python --path DIR`\n"
    )
    return False


def _python_path() -> list[str]:
    """Read `PYTHONPATH`, which a start without a search path leaves out.

    Returns:
        Its directories; none where the environment is to be ignored.
    """
    if sys.flags.ignore_environment:
        return []
    import os

    value = os.environ.get("PYTHONPATH", "")
    return [entry for entry in value.split(os.pathsep) if entry]


def _add_builtins() -> None:
    """Add the names that `site` would add."""
    import _sitebuiltins
    import builtins

    eof = "Ctrl-D (i.e. EOF)"
    builtins.quit = _sitebuiltins.Quitter("quit", eof)
    builtins.exit = _sitebuiltins.Quitter("exit", eof)
    builtins.help = _sitebuiltins._Helper()


def _add_wheels(wheels: str) -> None:
    """Search a directory of installed packages, with its `.pth` files."""
    import site

    site.addsitedir(wheels)


def _refuse_extensions() -> None:
    """Say what to do instead of failing somewhere inside the C library."""
    from importlib.machinery import ExtensionFileLoader

    def create_module(loader: ExtensionFileLoader, spec: Any) -> Any:
        message = (
            f"`{spec.name}` is an extension module (`{spec.origin}`), which this "
            "statically linked program cannot load; use `agi-agent-gnu python`"
        )
        raise ImportError(message, name=spec.name, path=spec.origin)

    # Assigned through a variable: it is a method of somebody else's class.
    target: Any = ExtensionFileLoader
    target.create_module = create_module


def _have_no_file() -> None:
    """Keep a program on standard input from being called a file.

    CPython would name it `<stdin>`, and `multiprocessing` would tell the processes
    that it spawns to run a file of that name.
    """
    import __main__

    vars(__main__)["__file__"] = None


def _use_our_line_editor() -> None:
    """Leave the prompt to CPython's plain loop, which asks Rust for each line.

    `readline` is not in the binary, and the loop of 3.13 wants curses. An installed
    Python has both and would replace our editor as soon as it imports them.
    """
    modules: dict[str, Any] = sys.modules
    modules["readline"] = None
    if hasattr(sys, "__interactivehook__"):
        del sys.__interactivehook__
    if sys.version_info < (3, 13):
        return
    loop: Any = type(sys)("_pyrepl.main")
    base: Any = sys
    loop.interactive_console = lambda **_: base._baserepl()
    # Its package stays real: 3.13 runs that as a program, which then takes this module.
    sys.modules["_pyrepl.main"] = loop


def complete(text: str) -> list[str]:
    """Complete a name or a dotted expression as the standard `rlcompleter` does.

    Args:
        text: The word before the cursor.

    Returns:
        Whole words, without repetitions.
    """
    import rlcompleter

    import __main__

    completer = rlcompleter.Completer(vars(__main__))
    found: list[str] = []
    while (word := completer.complete(text, len(found))) is not None:
        found.append(word)
    return list(dict.fromkeys(found))
