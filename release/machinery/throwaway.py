"""Runs this program again where what it damages is thrown away.

With a defence switched off attacks succeed: they write into `/etc`, plant programs and leave
processes. As root that happens in mount and process namespaces of its own, over an overlay of the
machine's root; only the directories that are named stay real. As an ordinary user attacks reach no
more than that user's files, and nothing is done here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import cache
from .console import ReleaseError

#: What to do where there is no overlay.
HINT = "on a machine that may be damaged, `--here` does without an overlay of it"
#: Set within.
MARK = "AGI_THROWAWAY"
#: The overlay's parts in the directory `$1`; the real directories up to `--`; then the command.
SCRIPT = """
set -e
here=$PWD
place=$1; shift
mkdir "$place/upper" "$place/work" "$place/root" "$place/tmp"
chmod 1777 "$place/tmp"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$place/root"
cd "$place/root"
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
mount --bind "$place/tmp" tmp
while [ "$1" != -- ]; do mkdir -p ".$1"; mount --bind "$1" ".$1"; shift; done
shift
mkdir -p .old
pivot_root . .old
cd /
umount -l /.old
cd "$here"
# Not replaced by it: the first process of the namespace reaps what attacks leave.
"$@"
exit $?
"""


def enter(real: Sequence[Path]) -> None:
    """Run this program again within, and end with its status; return at once where that was done.

    Raises:
        ReleaseError: The overlay cannot be had.
    """
    if os.geteuid() != 0 or MARK in os.environ:
        return
    cache.root().mkdir(parents=True, exist_ok=True)
    # The overlay cannot lie in a directory that is one itself; the cache is on a disk mostly.
    place = tempfile.mkdtemp(prefix="throwaway-", dir=cache.root())
    kept = {path.absolute() for path in real if path.is_dir()}
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--propagation", "private"]
    script = ["bash", "-c", SCRIPT, "throwaway", place, *sorted(map(os.fspath, kept)), "--"]
    try:
        status = subprocess.run(
            [*namespaces, *script, sys.executable, *sys.argv],
            env={**os.environ, MARK: "1"},
            check=False,
        ).returncode
    except OSError as error:
        raise ReleaseError(f"`unshare` of util-linux cannot be started: {error}", HINT) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(status)
