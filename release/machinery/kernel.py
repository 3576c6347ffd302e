"""Builds the numeric kernel of llama.cpp, once per instruction set, for one static file.

ggml's own choice of kernels at run time needs shared libraries. Here the CPU backend is
compiled three times; each variant becomes one relocatable object that shows a single
name, and `release/kernel/dispatch.c` calls the one that the processor can run. The rest
of llama.cpp is compiled by the crate `llama-cpp-sys-2` against what is made here, whose
sources are used. Nothing outside the variants is compiled for more than x86-64-v2.
"""

from __future__ import annotations

import inspect
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import cache
from .console import Argument, ReleaseError, capture, run, stage
from .pins import CHECKOUT, RELEASE

CRATE = "llama-cpp-sys-2"
#: C and C++ of ours: the choice of the kernel, the guard against exceptions.
OWN = RELEASE / "kernel"

#: Switches of ggml that choose instructions; what a variant does not name is off.
INSTRUCTIONS = (
    "SSE42", "AVX", "AVX2", "BMI2", "AVX_VNNI", "FMA", "F16C",
    "AVX512", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16",
)  # fmt: skip
_HASWELL = ("SSE42", "AVX", "F16C", "FMA", "AVX2", "BMI2")
#: The variants; `dispatch.c` knows their names and what each needs.
VARIANTS = {
    "sse42": ("SSE42",),
    "haswell": _HASWELL,
    "icelake": (*_HASWELL, "AVX512", "AVX512_VBMI", "AVX512_VNNI"),
}
#: The one global name of a variant.
ENTRY = "ggml_backend_cpu_reg"
#: Names with -fgnu-unique stay global in `objcopy` and collide between variants.
COMPILE_FLAGS = "-fno-gnu-unique -ffunction-sections -fdata-sections"


@dataclass(frozen=True)
class Kernel:
    """Headers, archives and CMake files, in the cache."""

    place: Path

    def environment(self, target: Path) -> dict[str, str]:
        """Variables for a build of the feature `local` in cargo's folder `target`.

        CMake goes on using the archives that it found in an earlier build, so that they are found
        by a name that stays; the crate hands variables that begin with `GGML_` on to CMake and
        builds again when they change.
        """
        target.mkdir(parents=True, exist_ok=True)
        link = target / "kernel"
        if not link.is_symlink() or link.readlink() != self.place:
            link.unlink(missing_ok=True)
            link.symlink_to(self.place)
        return {
            "AGI_KERNEL_DIR": os.fspath(link),
            "CMAKE_PREFIX_PATH": os.fspath(link),
            "GGML_AGI_KERNEL": self.place.name,
            "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1),
            "CMAKE_DISABLE_FIND_PACKAGE_OpenSSL": "ON",
            "CXXFLAGS": f"{COMPILE_FLAGS} {_mapped()}",
        }


def crate_folder() -> Path:
    """The crate whose sources are compiled."""
    metadata = capture(
        ["cargo", "metadata", "--format-version=1", "--locked", "--features", "local"],
        cwd=CHECKOUT,
    )
    for package in json.loads(metadata)["packages"]:
        if package["name"] == CRATE:
            return Path(package["manifest_path"]).parent
    raise ReleaseError(f"Cargo.lock has no package `{CRATE}`")


def _mapped() -> str:
    """Paths of this machine must not end up in the binary: llama.cpp's assertions name files."""
    home = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    return f"-ffile-prefix-map={home}/registry/src=/crates"


def build(log: Path) -> Kernel:
    """Return the kernel for this crate and compiler, building it when absent."""
    crate = crate_folder()
    own = sorted(path for path in OWN.iterdir() if path.suffix in (".c", ".cpp"))
    own.append(OWN / "CMakeLists.txt")
    recipe = "".join(inspect.getsource(part) for part in (_variant, _assemble))
    key = cache.digest_of(
        {
            # The name has the version; what it holds is pinned by Cargo.lock.
            "crate": crate.name,
            "lock": _checksum(),
            "compiler": capture(["c++", "--version"]),
            "cmake": capture(["cmake", "--version"]),
            "files": cache.digest_files(own, CHECKOUT),
            "recipe": [recipe, INSTRUCTIONS, VARIANTS, COMPILE_FLAGS],
        }
    )

    def fill(place: Path) -> None:
        work = place / "work"
        work.mkdir()
        objects = [
            _variant(name, crate / "llama.cpp" / "ggml", place, work, log) for name in VARIANTS
        ]
        with stage("kernel: putting the variants together"):
            _assemble(objects, crate / "llama.cpp", place, work, log)
        shutil.rmtree(work)

    return Kernel(cache.entry("kernel", key, fill))


def _checksum() -> str:
    """What Cargo.lock says of the crate."""
    lock = (CHECKOUT / "Cargo.lock").read_text()
    start = lock.find(f'name = "{CRATE}"')
    return lock[start : lock.find("\n\n", start)]


def _variant(name: str, ggml: Path, place: Path, work: Path, log: Path) -> Path:
    """Compile one variant; returns an object that shows `ggml_cpu_reg_NAME` only."""
    tree = work / name
    first = name == next(iter(VARIANTS))
    switches: list[Argument] = [
        f"-DGGML_{one}={'ON' if one in VARIANTS[name] else 'OFF'}" for one in INSTRUCTIONS
    ]
    flags = f"{COMPILE_FLAGS} {_mapped()} -ffile-prefix-map={work}=/build"
    with stage(f"kernel: compiling for {name}"):
        run(
            ["cmake", "-S", OWN, "-B", tree, f"-DGGML_SRC={ggml}", "-DCMAKE_BUILD_TYPE=Release",
             "-DBUILD_SHARED_LIBS=OFF", "-DGGML_NATIVE=OFF", "-DGGML_OPENMP=OFF",
             "-DGGML_LLAMAFILE=ON", "-DGGML_BUILD_TESTS=OFF", "-DGGML_BUILD_EXAMPLES=OFF",
             "-DGGML_CCACHE=OFF", "-DCMAKE_POSITION_INDEPENDENT_CODE=ON",
             f"-DCMAKE_C_FLAGS={flags}", f"-DCMAKE_CXX_FLAGS={flags}",
             f"-DCMAKE_INSTALL_PREFIX={place}", "-DCMAKE_INSTALL_LIBDIR=lib", *switches],
            log=log,
            what="cmake (ggml)",
        )  # fmt: skip
        run(
            ["cmake", "--build", tree, "--parallel", str(os.cpu_count() or 1),
             "--target", "all" if first else "ggml-cpu"],
            log=log,
            timeout=1800,
            what=f"compiling ggml for {name}",
        )  # fmt: skip
    if first:
        run(["cmake", "--install", tree], log=log, what="cmake --install (ggml)")
    one = work / f"{name}.o"
    archive = tree / "ggml" / "src" / "libggml-cpu.a"
    run(["ld", "-r", "--force-group-allocation", "-o", one, "--whole-archive", archive], log=log)
    run(["objcopy", f"--keep-global-symbol={ENTRY}", one], log=log)
    run(["objcopy", "--redefine-sym", f"{ENTRY}=ggml_cpu_reg_{name}", one], log=log)
    return one


def _assemble(objects: list[Path], llama: Path, place: Path, work: Path, log: Path) -> None:
    """The archive with all variants and their dispatcher, and that of the guard."""
    warnings = ["-O2", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    dispatch, guard = work / "dispatch.o", work / "guard.o"
    run(["cc", *warnings, "-c", OWN / "dispatch.c", "-o", dispatch], log=log)
    headers = [f"-I{llama / 'include'}", f"-I{place / 'include'}"]
    run(
        ["c++", *warnings, "-std=c++17", *COMPILE_FLAGS.split(), *headers,
         "-c", OWN / "guard.cpp", "-o", guard],
        log=log,
    )  # fmt: skip
    library = place / "lib" / "libggml-cpu.a"
    library.unlink()
    run(["ar", "rcsD", library, dispatch, *objects], log=log)
    run(["ar", "rcsD", place / "lib" / "libagi_kernel.a", guard], log=log)
    shutil.copy(llama / "LICENSE", place / "LICENSE.llama.cpp.txt")
