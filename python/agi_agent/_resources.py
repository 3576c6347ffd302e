"""Data files of packages inside the binary, for `importlib.resources`.

CPython's frozen importer has modules only. `src/bridge/python/frozen.rs` gives it this
reader for packages that have data; nothing is ever written to a disk (`as_file` makes a
temporary file, as it does for a zip archive).
"""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO, Any


class PackedReader:
    """What `importlib.resources` needs of a loader: `files()` and the old four."""

    def __init__(
        self, package: str, names: list[str], read: Callable[[str, str], bytes]
    ) -> None:
        """Keep the names; `read(package, name)` gives the bytes."""
        self._root = PackedPath(package, "", frozenset(names), read)

    def files(self) -> PackedPath:
        """Give the package's directory."""
        return self._root

    def open_resource(self, resource: str) -> io.BytesIO:
        """Open one file for reading."""
        return io.BytesIO((self._root / resource).read_bytes())

    def resource_path(self, resource: str) -> str:
        """Refuse: there is no file on a disk."""
        raise FileNotFoundError(resource)

    def is_resource(self, path: str) -> bool:
        """Tell whether `path` is a file of the package."""
        return (self._root / path).is_file()

    def contents(self) -> Iterator[str]:
        """Name the entries of the package's directory."""
        return (entry.name for entry in self._root.iterdir())


class PackedPath:
    """A file or directory inside the binary (`importlib.resources.abc.Traversable`)."""

    def __init__(
        self,
        package: str,
        path: str,
        names: frozenset[str],
        read: Callable[[str, str], bytes],
    ) -> None:
        """Point at `path` (with slashes, empty for the package itself)."""
        self._package = package
        self._path = path
        self._names = names
        self._read = read

    @property
    def name(self) -> str:
        """The last part of the path, the package's name at its top."""
        return self._path.rpartition("/")[2] or self._package.rpartition(".")[2]

    def is_file(self) -> bool:
        """Tell whether this is a file."""
        return self._path in self._names

    def is_dir(self) -> bool:
        """Tell whether something lies below."""
        prefix = self._path and f"{self._path}/"
        return any(name.startswith(prefix) for name in self._names)

    def iterdir(self) -> Iterator[PackedPath]:
        """Give the entries of a directory, in order of their names."""
        prefix = self._path and f"{self._path}/"
        below = (name for name in self._names if name.startswith(prefix))
        for entry in sorted({name[len(prefix) :].partition("/")[0] for name in below}):
            yield self._at(prefix + entry)

    def joinpath(self, *parts: str) -> PackedPath:
        """Point at something below; `..` is not understood."""
        steps = [self._path, *(step for part in parts for step in part.split("/"))]
        return self._at("/".join(step for step in steps if step not in ("", ".")))

    def __truediv__(self, part: str) -> PackedPath:
        """Do what `joinpath` does."""
        return self.joinpath(part)

    def read_bytes(self) -> bytes:
        """Give the content of a file.

        Raises:
            FileNotFoundError: There is none of that name.
        """
        return self._read(self._package, self._path)

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """Give the content of a file as text, UTF-8 unless told otherwise."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> IO[Any]:
        """Open a file for reading, as `io.open` does."""
        if mode not in ("r", "rb", "rt"):
            message = f"files in the binary are read-only, not `{mode}`"
            raise ValueError(message)
        stream = io.BytesIO(self.read_bytes())
        if mode == "rb":
            return stream
        kwargs.setdefault("encoding", None if args else "utf-8")
        return io.TextIOWrapper(stream, *args, **kwargs)

    def __repr__(self) -> str:
        return f"PackedPath({self._package!r}, {self._path!r})"

    def _at(self, path: str) -> PackedPath:
        return PackedPath(self._package, path, self._names, self._read)
