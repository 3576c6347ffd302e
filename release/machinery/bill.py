"""The bill of materials: what went into the binary.

Two forms of the same facts: `dist/bill-of-materials.json` (CycloneDX 1.5, every
crate and package) and a short JSON that the binary carries for
`--version --verbose`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from . import sentence
from .console import ReleaseError, capture
from .cpython import CPython
from .patches import PatchSet
from .pins import CHECKOUT, RELEASE, Pins
from .resources import Resources
from .source import Source

TARGET = "x86_64-unknown-linux-gnu"


@dataclass(frozen=True)
class Inputs:
    """All that the bill is written from."""

    pins: Pins
    source: Source
    patches: PatchSet
    python: CPython
    resources: Resources


def revision() -> tuple[Optional[str], bool]:
    """The checkout's commit, and whether tracked files differ from it."""
    try:
        commit = capture(["git", "rev-parse", "HEAD"], cwd=CHECKOUT)
        changed = capture(["git", "status", "--porcelain", "--untracked-files=no"], cwd=CHECKOUT)
    except ReleaseError:
        return None, False
    return commit, bool(changed)


def python_packages() -> dict[str, str]:
    """Bundled Python packages and their pinned versions."""
    text = (RELEASE / "requirements.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))


def crates() -> list[dict[str, Any]]:
    """Crates of the binary: what cargo resolves for this target, tests left out."""
    metadata = json.loads(
        capture(
            ["cargo", "metadata", "--format-version=1", "--locked", "--no-default-features",
             "--features", "embedded,local", "--filter-platform", TARGET],
            cwd=CHECKOUT,
        )
    )  # fmt: skip
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    reached: set[str] = set()
    waiting = [metadata["resolve"]["root"]]
    while waiting:
        current = waiting.pop()
        if current in reached:
            continue
        reached.add(current)
        for dependency in nodes[current]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    reached.discard(metadata["resolve"]["root"])
    return sorted((packages[one] for one in reached), key=lambda package: str(package["name"]))


def package_version() -> str:
    """The version of this package, from Cargo.toml."""
    found = re.search(r'^version = "([^"]+)"', (CHECKOUT / "Cargo.toml").read_text(), re.MULTILINE)
    if found is None:
        raise ReleaseError("Cargo.toml has no version")
    return found.group(1)


def build_info(inputs: Inputs) -> dict[str, Any]:
    """The short form that the binary carries."""
    commit, changed = revision()
    facts = inputs.python.facts()
    return {
        "build": "release",
        "version": package_version(),
        "revision": commit,
        "modified": changed,
        "rustc": capture(["rustc", "--version"], cwd=CHECKOUT),
        "cc": capture(["cc", "--version"]).splitlines()[0],
        "cpython": {
            "version": inputs.pins.version,
            "sha256": inputs.pins.sha256,
            "origin": inputs.source.origin,
            "patched_from": inputs.source.revision or None,
            "patches": inputs.patches.names,
        },
        "libraries": facts["libraries"],
        "python_packages": python_packages(),
        "modules": inputs.resources.facts(),
    }


def cyclonedx(inputs: Inputs) -> dict[str, Any]:
    """The long form, as CycloneDX has it."""
    components: list[dict[str, Any]] = [
        {
            "type": "library",
            "name": "cpython",
            "version": inputs.pins.version,
            "purl": f"pkg:generic/cpython@{inputs.pins.version}",
            "hashes": [{"alg": "SHA-256", "content": inputs.pins.sha256}],
            "pedigree": {
                "patches": [{"type": "backport", "diff": {"url": name}}
                            for name in inputs.patches.names],
                "notes": f"patches of the distribution's revision {inputs.source.revision}",
            },
        }
    ]  # fmt: skip
    libraries = inputs.python.facts()["libraries"]
    for name, version in sorted(libraries.items() if isinstance(libraries, dict) else ()):
        components.append({"type": "library", "name": name, "version": str(version)})
    for name, version in sorted(python_packages().items()):
        purl = f"pkg:pypi/{name}@{version}"
        components.append({"type": "library", "name": name, "version": version, "purl": purl})
    components.append(sentence_model())
    for crate in crates():
        component = {
            "type": "library",
            "name": crate["name"],
            "version": crate["version"],
            "purl": f"pkg:cargo/{crate['name']}@{crate['version']}",
        }
        if crate.get("license"):
            component["licenses"] = [{"expression": crate["license"]}]
        components.append(component)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": "agi-agent",
                "version": package_version(),
            }
        },
        "components": components,
    }


def sentence_model() -> dict[str, Any]:
    """The one set of weights that we pass on."""
    pinned = sentence.REQUIREMENTS.read_text()
    found = re.search(r"^([\w.-]+)==([\w.]+).*?sha256:([0-9a-f]{64})", pinned, re.M | re.S)
    if found is None:
        raise ReleaseError(f"`{sentence.REQUIREMENTS.name}` pins no package")
    package, version, digest = found.groups()
    return {
        "type": "machine-learning-model",
        "name": sentence.NAME,
        "version": version,
        "purl": f"pkg:pypi/{package}@{version}",
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "licenses": [{"expression": "Apache-2.0 AND MIT"}],
    }


def write_info(inputs: Inputs, folder: Path) -> Path:
    """Write the short form where the Rust build includes it.

    The file is left alone when it says the same already: cargo goes by its time.
    """
    path = folder / "build-info.json"
    text = json.dumps(build_info(inputs), indent=1, sort_keys=True) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path


def write_bill(inputs: Inputs, dist: Path) -> None:
    """Write the long form beside the products."""
    text = json.dumps(cyclonedx(inputs), indent=1, sort_keys=True) + "\n"
    (dist / "bill-of-materials.json").write_text(text)
