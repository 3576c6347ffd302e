"""`ssl` of the bundled interpreter trusts what `SSL_CERT_FILE` or `SSL_CERT_DIR` names.

OpenSSL adds the place that was compiled into it where a person set one of the two
only; Rust does not (docs/model-errors.md). What they named is all that either trusts.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def narrow() -> None:
    """Narrow `ssl` where one of the variables stands alone; imports nothing yet."""
    from os import environ

    if bool(environ.get("SSL_CERT_FILE")) != bool(environ.get("SSL_CERT_DIR")):
        finder: Any = _Finder()
        sys.meta_path.insert(0, finder)


class _Finder:
    """Finds `ssl` once, by all other finders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        if name != "ssl":
            return None
        finders: list[Any] = sys.meta_path
        finders.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """The module's own loader, and a word after it."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def exec_module(self, module: ModuleType) -> None:
        self._own.exec_module(module)
        _change(module)


def _change(ssl: Any) -> None:
    from os import environ

    default = ssl.SSLContext.set_default_verify_paths
    told = ssl.get_default_verify_paths

    def named() -> tuple[str | None, str | None]:
        file, directory = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
        return file or None, directory or None

    def set_default_verify_paths(context: Any) -> None:
        file, directory = named()
        if bool(file) == bool(directory):
            default(context)
            return
        try:
            context.load_verify_locations(cafile=file, capath=directory)
        except OSError:
            # As the original: a place that holds nothing is an empty store.
            return

    def get_default_verify_paths() -> Any:
        file, directory = named()
        paths = told()
        if bool(file) == bool(directory):
            return paths
        return paths._replace(**{"capath" if file else "cafile": None})

    ssl.SSLContext.set_default_verify_paths = set_default_verify_paths
    ssl.get_default_verify_paths = get_default_verify_paths
