"""What is damaged over the overlay is thrown away; what is named stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RELEASE = Path(__file__).resolve().parents[1]
PROGRAM = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from machinery import throwaway
real, elsewhere = Path(sys.argv[2]), Path(sys.argv[3])
throwaway.enter([Path(sys.argv[1]), real])
(real / "kept").write_text("1")
(elsewhere / "agi-agent-damage").write_text("1")
sys.exit(7 if os.getcwd() == sys.argv[2] else 8)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets an overlay")
def test_damage_is_thrown_away(tmp_path: Path) -> None:
    """A file in a named directory is there afterwards, one elsewhere is not."""
    real, elsewhere = tmp_path / "real", Path("/etc")
    real.mkdir()
    program = real / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program, RELEASE, real, elsewhere],
        cwd=real,
        env={**os.environ, "AGI_BUILD_CACHE": os.fspath(_disk(tmp_path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip(f"no overlay can be had here: {done.stderr.strip()}")
    assert done.returncode == 7, done.stderr
    assert (real / "kept").exists()
    assert not (elsewhere / "agi-agent-damage").exists()


def _disk(tmp_path: Path) -> Path:
    """A directory for the overlay's parts."""
    place = tmp_path / "cache"
    place.mkdir()
    return place
