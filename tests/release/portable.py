"""Wheels for an index: which Linux they are for, and whether what is compiled in them lets them be.

What is compiled calls Python's stable ABI and nothing else, no C library either: it needs no shared library, and no version of
a symbol. So it is as good with glibc as with musl, of whatever age. `auditwheel` knows no such wheel ("couldn't detect libc").
"""

from __future__ import annotations

import struct
import sysconfig
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DYNAMIC = 6
"""The type of the section that names libraries."""
_END, _NEEDED, _VERSIONS = 0, 1, 0x6FFFFFFE
_ELF_64_LITTLE = b"\x7fELF\x02\x01"


def index_platform() -> str | None:
    """What a wheel that is built here may say that it is for; None where its own tag is taken: elsewhere than on Linux."""
    system, _, machine = sysconfig.get_platform().partition("-")
    if system != "linux":
        return None
    machine = machine.replace("-", "_")
    return f"manylinux_2_17_{machine}.manylinux2014_{machine}.musllinux_1_2_{machine}"


def is_for_an_index(tag: str) -> bool:
    """Whether a wheel's tag says that it runs on every Linux that its platform names."""
    return "-manylinux" in tag or "-musllinux" in tag


def not_portable(wheel: Path) -> list[str]:
    """What keeps the compiled parts of a wheel from running on every Linux of their machine."""
    with zipfile.ZipFile(wheel) as archive:
        objects = {name: archive.read(name) for name in archive.namelist() if name.endswith(".so")}
    return [f"holds {name}, which {problem}" for name, code in sorted(objects.items()) for problem in _needs(code)]


def _needs(code: bytes) -> Iterator[str]:
    if not code.startswith(_ELF_64_LITTLE):
        yield "is no ELF of 64 bits, least significant byte first"
        return
    (sections,) = struct.unpack_from("<Q", code, 0x28)
    size, count = struct.unpack_from("<HH", code, 0x3A)
    for at in range(sections, sections + size * count, size):
        kind, _, _, offset, length, link = struct.unpack_from("<IQQQQI", code, at + 4)
        if kind != _DYNAMIC:
            continue
        (names,) = struct.unpack_from("<Q", code, sections + size * link + 0x18)
        for tag, value in struct.iter_unpack("<QQ", code[offset : offset + length]):
            if tag == _END:
                break
            if tag == _NEEDED:
                start = names + value
                yield f"needs {code[start : code.index(0, start)].decode()}"
            elif tag == _VERSIONS:
                yield "needs versions of symbols"
