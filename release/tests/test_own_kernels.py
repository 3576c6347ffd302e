"""What `release/kernel` puts in place of functions of ggml, compiled for each variant and run.

The driver of `kernel/NAME.cpp` is `NAME.cpp` beside this file.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machinery import kernel

#: The compiler's word for each of ggml's switches.
FLAGS = {"AVX512": "avx512f avx512cd avx512vl avx512dq avx512bw"}
#: What `/proc/cpuinfo` calls the instructions that a variant needs beyond x86-64-v2.
NEEDS = {
    "sse42": set(),
    "haswell": {"avx2", "fma", "f16c", "bmi2"},
    "icelake": {"avx2", "fma", "f16c", "bmi2", "avx512bw", "avx512vbmi", "avx512_vnni"},
}


@pytest.mark.parametrize("variant", kernel.VARIANTS)
@pytest.mark.parametrize("part", ["gelu", "q8_gemm"])
def test_results_are_those_of_plain_arithmetic(part: str, variant: str, tmp_path: Path) -> None:
    """Every size around a boundary, values of any size, several threads."""
    cpu = Path("/proc/cpuinfo")
    flags = set(cpu.read_text().split()) if cpu.exists() else set()
    if not NEEDS[variant] <= flags:
        pytest.skip(f"this processor does not run `{variant}`")
    ggml = kernel.crate_folder() / "llama.cpp" / "ggml"
    names = [FLAGS.get(one, one.replace("_", "").lower()) for one in kernel.VARIANTS[variant]]
    switches = ["sse4.2" if one == "sse42" else one for one in " ".join(names).split()]
    program = tmp_path / part
    subprocess.run(
        ["c++", "-std=c++17", "-O2", *(f"-m{one}" for one in switches),
         *(f"-isystem{ggml / part}" for part in ("include", "src", "src/ggml-cpu")),
         kernel.OWN / f"{part}.cpp", Path(__file__).with_name(f"{part}.cpp"), "-o", program],
        check=True,
    )  # fmt: skip
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
