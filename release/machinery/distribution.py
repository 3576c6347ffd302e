"""Wraps a static CPython build as a distribution that PyOxidizer reads.

The format is python-build-standalone's PYTHON.json, version 7: objects of the
core, built-in modules with their init functions, archives to link.  Everything
is asked of the build itself (Makefile, config.c, the interpreter); nothing is
guessed from names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from .console import ReleaseError, capture
from .pins import Pins
from .prerequisites import LIBRARIES, archive_path

#: Archives that CPython's own build makes, relative to its tree.
OWN_ARCHIVES = (
    "Modules/_hacl/libHacl_Hash_SHA2.a",
    "Modules/expat/libexpat.a",
    "Modules/_decimal/libmpdec/libmpdec.a",
)
SYSTEM_LIBRARIES = ("m", "dl", "pthread", "util", "rt")


def write(pins: Pins, tree: Path, root: Path) -> dict[str, object]:
    """Fill `root` (which holds `install/`) with objects, archives and PYTHON.json.

    Args:
        pins: What is pinned.
        tree: The build tree, made.
        root: The distribution's folder.

    Returns:
        Facts for the bill of materials: version, modules, libraries.

    Raises:
        ReleaseError: The build has fewer modules than the pinned count, or a
            part is missing.
    """
    objects = _copy_objects(tree, root)
    links = _copy_archives(tree, root)
    modules = _builtin_modules(tree, root)
    if len(modules) < pins.modules_at_least:
        raise ReleaseError(
            f"CPython has {len(modules)} built-in modules, at least {pins.modules_at_least} "
            "are expected",
            "look for `missing` in the output of make: a library's headers were not found",
        )
    licenses = root / "licenses"
    licenses.mkdir()
    shutil.copy(tree / "LICENSE", licenses / "LICENSE.cpython.txt")
    description = _describe(pins, root, objects, links, modules)
    (root / "PYTHON.json").write_text(json.dumps(description, indent=1, sort_keys=True))
    return {
        "version": pins.version,
        "modules": sorted(modules),
        "libraries": _library_versions(root),
    }


def _copy_objects(tree: Path, root: Path) -> list[str]:
    """Copy the core's objects; the module table is PyOxidizer's to make."""
    listing = capture(
        ["make", "-s", "-f", "Makefile", "--eval", "print-objects:;@echo $(LIBRARY_OBJS)",
         "print-objects"],
        cwd=tree,
    )  # fmt: skip
    copied: list[str] = []
    for name in listing.split():
        if name.endswith("Modules/config.o"):
            continue
        target = root / "build" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / name, target)
        copied.append(f"build/{name}")
    if len(copied) < 100:
        raise ReleaseError(f"the Makefile of CPython names only {len(copied)} objects")
    for name in ("config.o", "config.c"):
        shutil.copy(tree / "Modules" / name, root / "build" / name)
    return copied


def _copy_archives(tree: Path, root: Path) -> list[dict[str, object]]:
    folder = root / "build" / "lib"
    folder.mkdir(parents=True)
    links: list[dict[str, object]] = []
    for path in (
        *(tree / name for name in OWN_ARCHIVES if (tree / name).exists()),
        *(archive_path(library.archive) for library in LIBRARIES),
    ):
        name = path.name[len("lib") : -len(".a")]
        shutil.copy(path, folder / path.name)
        links.append({"name": name, "path_static": f"build/lib/{path.name}"})
    links += [{"name": name, "system": True} for name in SYSTEM_LIBRARIES]
    return links


def _builtin_modules(tree: Path, root: Path) -> dict[str, str]:
    """Name and init function of each entry of the module table."""
    table = (tree / "Modules" / "config.c").read_text()
    modules = dict(re.findall(r'\{"([\w.]+)",\s*(\w+)\}', table))
    asked = _ask(root, "list(sys.builtin_module_names)")
    lost = sorted(set(map(str, asked)) - set(modules)) if isinstance(asked, list) else []
    if lost:
        raise ReleaseError(f"modules of the interpreter that its table lacks: {', '.join(lost)}")
    return modules


def _ask(root: Path, expression: str) -> object:
    """Evaluate an expression in the interpreter that was built."""
    code = (
        "import json,sys,sysconfig,importlib.machinery as m,importlib.util as u;"
        f"print(json.dumps({expression}))"
    )
    interpreter = root / "install" / "bin" / "python3"
    return json.loads(capture([interpreter, "-I", "-B", "-c", code]))


def _library_versions(root: Path) -> object:
    code = (
        "{'openssl': __import__('ssl').OPENSSL_VERSION,"
        " 'zlib': __import__('zlib').ZLIB_VERSION,"
        " 'expat': __import__('pyexpat').EXPAT_VERSION,"
        " 'libmpdec': __import__('_decimal').__libmpdec_version__}"
    )
    return _ask(root, code)


def _describe(
    pins: Pins,
    root: Path,
    objects: list[str],
    links: list[dict[str, object]],
    modules: dict[str, str],
) -> dict[str, object]:
    tag = f"cp{pins.major_minor.replace('.', '')}"
    variables = _ask(root, "{k: str(v) for k, v in sysconfig.get_config_vars().items()}")
    paths = _ask(root, "sysconfig.get_paths()")
    if not isinstance(paths, dict):
        raise ReleaseError("sysconfig.get_paths() of the new interpreter is no mapping")
    return {
        "version": "7",
        "target_triple": "x86_64-unknown-linux-gnu",
        "optimizations": "noopt",
        "python_tag": tag,
        "python_abi_tag": tag,
        "python_config_vars": variables,
        "python_platform_tag": "linux-x86_64",
        "python_implementation_cache_tag": _ask(root, "sys.implementation.cache_tag"),
        "python_implementation_hex_version": _ask(root, "sys.hexversion"),
        "python_implementation_name": "cpython",
        "python_implementation_version": _ask(
            root, "[str(part) for part in sys.implementation.version]"
        ),
        "python_version": pins.version,
        "python_major_minor_version": pins.major_minor,
        "python_paths": {name: os.path.relpath(path, root) for name, path in paths.items()},
        "python_paths_abstract": _ask(root, "sysconfig.get_paths(expand=False)"),
        "python_exe": f"install/bin/python{pins.major_minor}",
        "python_stdlib_test_packages": ["test"],
        "python_suffixes": {
            "bytecode": [".pyc"],
            "debug_bytecode": [".pyc"],
            "optimized_bytecode": [".pyc"],
            "source": [".py"],
            "extension": _ask(root, "m.EXTENSION_SUFFIXES"),
        },
        "python_bytecode_magic_number": _ask(root, "u.MAGIC_NUMBER.hex()"),
        "python_symbol_visibility": "global-default",
        "python_extension_module_loading": ["builtin", "shared-library"],
        "libpython_link_mode": "static",
        "crt_features": ["glibc-dynamic"],
        "run_tests": "",
        "build_info": {
            "core": {"objs": objects, "links": links, "shared_lib": None, "static_lib": None},
            "extensions": {name: [_extension(init)] for name, init in modules.items()},
            "inittab_object": "build/config.o",
            "inittab_source": "build/config.c",
            "inittab_cflags": ["-std=c11", "-DNDEBUG", "-fPIC", "-DPy_BUILD_CORE"],
            "object_file_format": "elf",
        },
        "licenses": ["Python-2.0"],
        "license_path": "licenses/LICENSE.cpython.txt",
        "tcl_library_path": None,
        "tcl_library_paths": None,
    }


def _extension(init: str) -> dict[str, object]:
    return {
        "in_core": True,
        "init_fn": init,
        "licenses": None,
        "license_paths": None,
        "license_public_domain": None,
        "links": [],
        "objs": [],
        "required": True,
        "static_lib": None,
        "shared_lib": None,
        "variant": "default",
    }
