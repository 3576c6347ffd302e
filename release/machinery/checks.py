"""The stages of `release/test`, by name and in the order they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Callable

from . import cache, devtools, foreign, kernel, pins, prerequisites
from .console import Argument, ReleaseError, run, say
from .pins import CHECKOUT, RELEASE
from .runner import Shell, Skipped

PYTHON = CHECKOUT / "python"
Action = Callable[[Shell], None]


def target_directory() -> Path:
    """Cargo's target folder for tests, shared by all checkouts of this machine."""
    return cache.root() / "target" / "test"


def base_environment() -> dict[str, str]:
    """Variables of every stage."""
    python = devtools.development_python()
    # A clone of its own compiles its crate whole: what would help the next time fills the disk.
    once = {"CARGO_INCREMENTAL": "0"} if os.environ.get("CI") else {}
    return {
        **once,
        "PYO3_PYTHON": python,
        "CARGO_TARGET_DIR": os.fspath(target_directory()),
        "CARGO_TERM_COLOR": "never",
        # Snapshots are compared, never written.
        "CI": "true",
        "INSTA_UPDATE": "no",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _python(shell: Shell, *arguments: Argument, cwd: Path = CHECKOUT) -> None:
    """Run a module of the tools' environment."""
    interpreter = devtools.environment(shell.env["PYO3_PYTHON"])
    shell([interpreter, "-m", *arguments], cwd=cwd)


def fmt(shell: Shell) -> None:
    """Formatting of Rust."""
    shell(["cargo", "fmt", "--check"])


def clippy(shell: Shell) -> None:
    """Lints of Rust; every warning is an error."""
    shell(["cargo", "clippy", "--locked", "--all-targets", "--", "-D", "warnings"])


def abilities() -> list[str]:
    """What tests may need and this machine has: they have to run then, and not to be left out."""
    user = "-m" if os.geteuid() == 0 else "-mr"

    def can(*command: str) -> bool:
        tried = ["unshare", user, *command]
        try:
            return subprocess.run(tried, capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    found = {
        "namespaces": can("true"),
        "mounts": can("mount", "-t", "tmpfs", "tmpfs", "/mnt"),
        "a C compiler": shutil.which("cc") is not None,
        "root": os.geteuid() == 0,
    }
    return [name for name, has in found.items() if has]


def _with_lacking(shell: Shell, command: list[str], env: Mapping[str, str]) -> None:
    """Run tests; demand what can be had here, and say what was left out for want of something."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "lacking"
        demands = [*abilities(), *filter(None, [env.get("AGI_TEST_DEMANDS")])]
        own = {"AGI_TEST_LACKING_LIST": os.fspath(path), "AGI_TEST_DEMANDS": ",".join(demands)}
        try:
            shell(command, env={**env, **own})
        finally:
            lines = path.read_text().splitlines() if path.exists() else []
            for line, count in sorted(Counter(lines).items()):
                say(f"not run here for want of {line} ({count})")


def _nextest(*options: str) -> list[str]:
    """The command of a test run; two slots for each core, as .config/nextest.toml counts them."""
    slots = str(2 * (os.cpu_count() or 1))
    fixed = ["cargo", "nextest", "run", "--locked", "--profile", "ci", "--test-threads", slots]
    return [*fixed, *options]


def rust(shell: Shell) -> None:
    """Unit tests and the test programs; documentation examples."""
    command = ["cargo", "test", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"]
    if devtools.cargo_tool("nextest"):
        command = _nextest("--no-fail-fast")
    # Only here: a static binary asks the kernel for the time, and not the C library.
    clock = any(Path("/usr").glob("lib*/**/faketime/libfaketimeMT.so.1"))
    _with_lacking(shell, command, _demanding("a clock that can be moved") if clock else {})
    shell(["cargo", "test", "--locked", "--doc", "--quiet"])


def local(shell: Shell) -> None:
    """Lints and unit tests of what only the feature `local` compiles.

    The kernel comes from the cache (`build` needs the same one); what llama.cpp has besides is
    compiled once into the folder of the tests. Models themselves are tried by `release-cli`, with
    the released file, which spares everybody a second set of test programs.
    """
    log = devtools.log_file()
    log.parent.mkdir(parents=True, exist_ok=True)
    with cache.build_lock():
        prerequisites.check(pins.load(), log)
        built = kernel.build(log)
    environment = built.environment(target_directory())
    options = ["--features", "local", "--lib"]
    lints = ["cargo", "clippy", "--locked", *options, "--bins", "--tests", "--", "-D", "warnings"]
    shell(lints, env=environment, timeout=3600)
    # Some tests send signals to their own process: each needs one.
    command = ["cargo", "test", "--locked", *options, "bridge::llama::"]
    if devtools.cargo_tool("nextest"):
        command = _nextest(*options, "bridge::")
    shell(command, env=environment, timeout=3600)


def _demanding(*needs: str) -> dict[str, str]:
    """Makes a test fail that would otherwise say that it is not run for want of one of these."""
    given = os.environ.get("AGI_TEST_DEMANDS")
    return {"AGI_TEST_DEMANDS": ",".join([*needs, given] if given else needs)}


def pytest(shell: Shell) -> None:
    """Tests of `agi_agent` alone, without Rust; python/pyproject.toml says how."""
    _python(shell, "pytest", "-p", "no:cacheprovider", cwd=PYTHON)


def machinery(shell: Shell) -> None:
    """Tests of the release programs themselves."""
    _python(shell, "pytest", "-q", "-p", "no:cacheprovider", "release/tests")


def ruff(shell: Shell) -> None:
    """Lints and formatting of Python; the release programs have rules of their own."""
    own: list[Argument] = ["--config", PYTHON / "pyproject.toml", "python", "tests/python"]
    release: list[Argument] = ["--config", RELEASE / "ruff.toml", "release"]
    for part in (own, release):
        _python(shell, "ruff", "check", "--no-cache", *part)
        _python(shell, "ruff", "format", "--check", "--no-cache", *part)


def mypy(shell: Shell) -> None:
    """Types of Python, strictly."""
    kept = cache.root() / "mypy"
    own: list[Argument] = ["--config-file", "pyproject.toml", "--cache-dir", kept / "agent"]
    _python(shell, "mypy", "--strict", *own, cwd=PYTHON)
    release: list[Argument] = ["--config-file", "mypy.ini", "--cache-dir", kept / "release"]
    _python(shell, "mypy", *release, "-p", "machinery", cwd=RELEASE)
    for program in ("build", "test", "smoke", "kernel-env", "mutate"):
        _python(shell, "mypy", *release, program, cwd=RELEASE)


def deny(shell: Shell) -> None:
    """Licences, bans and sources of the crates; advisories run where they can be fetched."""
    program = devtools.cargo_tool("deny")
    if program is None:
        raise ReleaseError("cargo-deny is not installed and could not be")
    shell([program, "--locked", "--all-features", "check", "bans", "licenses", "sources"])


def build(shell: Shell) -> None:
    """The release build of both flavours."""
    shell([RELEASE / "build"], timeout=3600)


def smoke(shell: Shell) -> None:
    """The release binaries on roots of their own."""
    shell([RELEASE / "smoke"])


def _released() -> dict[str, str]:
    """Variables that make the tests of the command line take the static binary."""
    binary = CHECKOUT / "dist" / "agi-agent"
    return {"AGI_TEST_BINARY": os.fspath(binary), **_demanding("kernel", "released file")}


def release_cli(shell: Shell) -> None:
    """The tests of the command line, run against the static binary."""
    command = ["cargo", "test", "--locked", "--test", "cli", "--", "--quiet"]
    if devtools.cargo_tool("nextest"):
        command = _nextest("--no-fail-fast", "--test", "cli")
    _with_lacking(shell, command, _released())


def offline(shell: Shell) -> None:
    """Local models and embeddings with the static binary, where there is no network at all."""
    alone = ["unshare", "--user", "--map-root-user", "--net", "--"]
    try:
        run([*alone, "true"], log=devtools.log_file(), what="unshare --net")
    except ReleaseError as error:
        raise Skipped(f"no network namespace can be made here ({error})") from None
    tests = ["local_models::", *(f"embedding::{name}" for name in EMBEDDING_TESTS)]
    command = [*alone, "cargo", "test", "--offline", "--locked", "--test", "cli", "--", *tests]
    shell(command, env=_released())


#: Those of embeddings that speak to no server of their own, which needs an interface too.
EMBEDDING_TESTS = ("vectors_are", "floats_are", "a_file_that", "a_model_that")

STAGES: Mapping[str, Action] = {
    "fmt": fmt,
    "ruff": ruff,
    "mypy": mypy,
    "deny": deny,
    "clippy": clippy,
    "rust": rust,
    "local": local,
    "pytest": pytest,
    "machinery": machinery,
    **{f"check-{target}": partial(foreign.check, target=target) for target in foreign.TARGETS},
    "build": build,
    "smoke": smoke,
    "release-cli": release_cli,
    "offline": offline,
}

#: The first stage that takes its time.
FIRST_LONG = "clippy"

#: What neither reads nor writes what other stages make, in the order of the stages.
BESIDE = ("pytest", "machinery", *(f"check-{target}" for target in foreign.TARGETS))

#: Short names for several stages.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "all": tuple(STAGES),
    "lint": ("fmt", "ruff", "mypy", "deny", "clippy"),
    "unit": ("rust", "local", "pytest", "machinery"),
    "foreign": tuple(f"check-{target}" for target in foreign.TARGETS),
    "release": ("build", "smoke", "release-cli", "offline"),
}


def chosen(names: list[str]) -> list[str]:
    """Stages for the names of a command line, in their usual order.

    Raises:
        ReleaseError: A name is neither a stage nor a group.
    """
    wanted: set[str] = set()
    for name in names or ["all"]:
        if name not in STAGES and name not in GROUPS:
            known = ", ".join([*GROUPS, *STAGES])
            raise ReleaseError(f"no stage `{name}`", f"known are: {known}")
        wanted.update(GROUPS.get(name, (name,)))
    return [name for name in STAGES if name in wanted]
