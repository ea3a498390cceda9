"""What stands in a wheel, and what must not."""

from __future__ import annotations

import email
import zipfile
from typing import TYPE_CHECKING

from tests.release.portable import is_for_an_index, not_portable

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

PACKAGES = {
    "conformance_tests",
    "mink_benchmarks",
    "mink_core",
    "mink_jetstream",
    "mink_memory",
    "mink_postgres",
    "mink_pytest",
}
"""The top-level packages. `conformance_tests` is meant: it is what `pytest --pyargs conformance_tests` names."""
_EXTRAS = {
    "asyncpg",
    "bench",
    "cli",
    "conformance",
    "dev",
    "docs",
    "encryption",
    "examples",
    "ha",
    "jetstream",
    "otel",
    "peers",
    "postgres",
    "server",
    "test",
    "webhook",
    "zstd",
}
_SCHEMES = {
    "memory",
    "postgres",
    "postgresql",
    "postgresql+asyncpg",
    "postgresql+embedded",
    "postgresql+testcontainers",
}


COMPILED = {"mink_core/_compiled.abi3.so", "mink_postgres/_rows.abi3.so"}


def problems_of(path: Path, root: Path) -> list[str]:
    """What is wrong with a wheel that was built from the sources in `root`."""
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        [info] = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()
        tags = email.message_from_bytes(wheel.read(f"{info}/WHEEL")).get_all("Tag", [])
    top = {name.partition("/")[0] for name in names} - {info}
    found = [f"installs {name}, which is not meant" for name in sorted(top - PACKAGES)]
    found += [f"lacks {name}" for name in sorted(PACKAGES - top)]
    found += [f"lacks {name}/py.typed" for name in sorted(PACKAGES) if f"{name}/py.typed" not in names]
    found += [f"holds {name}" for name in sorted(names) if name.endswith((".pyc", ".orig", ".db"))]
    found += [f"lacks {name}" for name in _data_files(root) if name not in names]
    found += _about_what_is_compiled(path, names, tags)
    found += [f"has no entry point {scheme}" for scheme in _SCHEMES if f"\n{scheme} = " not in entry_points]
    return found + _in_metadata(metadata, names)


def _about_what_is_compiled(path: Path, names: set[str], tags: list[str]) -> list[str]:
    """With it a wheel is for one platform and every CPython from 3.11 on; without it for all."""
    compiled = {name for name in names if name.endswith((".so", ".c"))}
    is_compiled = any(name.endswith(".so") for name in compiled)
    wanted = "cp311-abi3-" if is_compiled else "py3-none-any"
    found = [f"says that it is for {tag}" for tag in tags if not tag.startswith(wanted)]
    found += [f"holds {name}" for name in sorted(compiled - COMPILED)]
    found += [f"lacks {name}" for name in sorted(COMPILED - compiled) if is_compiled]
    if any(is_for_an_index(tag) for tag in tags):
        found += not_portable(path)
        return found + ([] if _is_named(path, tags) else [f"is not named as the {len(tags)} tags that it has"])
    return found + [f"is not named as the {tag} that it is" for tag in tags if not path.stem.endswith(tag)]


def _is_named(path: Path, tags: list[str]) -> bool:
    """Several platforms stand in a name with points between them."""
    rest, _, platforms = path.stem.rpartition("-")
    return all(rest.endswith(f"-{tag.rpartition('-')[0]}") for tag in tags) and sorted(platforms.split(".")) == sorted(
        tag.rpartition("-")[2] for tag in tags
    )


def _data_files(root: Path) -> list[str]:
    """What the packages read at run time."""
    folders = [root / name for name in PACKAGES - {"mink_benchmarks"}]
    return sorted(
        path.relative_to(root).as_posix()
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in {".sql", ".toml", ".html"}
    )


def _in_metadata(metadata: Message, names: set[str]) -> list[str]:
    found = [
        f"the metadata's {key} is {metadata[key]!r}"
        for key, expected in {
            "Name": "mink-eventstore",
            "License-Expression": "Apache-2.0",
            "Requires-Python": ">=3.11",
            "Description-Content-Type": "text/markdown",
        }.items()
        if metadata[key] != expected
    ]
    classifiers = set(metadata.get_all("Classifier", []))
    wanted = {
        "Typing :: Typed",
        "Framework :: Pytest",
        *(f"Programming Language :: Python :: 3.{n}" for n in (11, 12, 13)),
    }
    found += [f"lacks the classifier {name}" for name in sorted(wanted - classifiers)]
    extras = set(metadata.get_all("Provides-Extra", []))
    found += [f"the extras differ in {name}" for name in sorted(extras ^ _EXTRAS)]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        found.append("holds no license")
    return found
