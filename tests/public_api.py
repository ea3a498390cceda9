"""The public names with their signatures, as text: `python -m tests.public_api` writes `tests/api.txt`.

A change of the text is a change for users: it is seen in the diff, and CHANGELOG.md tells of it.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

PATH = Path(__file__).with_name("api.txt")
MODULES = (
    "mink_core",
    "mink_core.adapter",
    "mink_core.administration",
    "mink_core.encryption",
    "mink_core.health",
    "mink_core.publishers",
    "mink_core.telemetry",
    "mink_core.testing",
    "mink_core.transfer",
    "mink_memory",
    "mink_postgres",
    "mink_postgres.server",
    "mink_postgres.testing",
    "mink_pytest.plugin",
    "conformance_tests",
    "conformance_tests.suite",
)


def text() -> str:
    """The whole of it."""
    return "".join(f"{line}\n" for name in MODULES for line in _module(importlib.import_module(name)))


def _module(module: ModuleType) -> Iterator[str]:
    yield f"# {module.__name__}"
    listed: list[str] | None = getattr(module, "__all__", None)
    if listed is None:
        # What is defined there: an imported name is public where it is from.
        listed = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    for name in sorted(name for name in listed if not name.startswith("_")):
        yield from _thing(name, getattr(module, name))
    yield ""


def _thing(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield from _class(name, value)
    elif callable(value) and hasattr(value, "__name__"):
        yield f"def {name}{_signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _class(name: str, cls: type) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    yield f"class {name}({bases})"
    if issubclass(cls, enum.Enum):
        yield f"    {', '.join(member.name for member in cls)}"
        return
    for field, kind in vars(cls).get("__annotations__", {}).items():
        if not field.startswith("_"):
            yield f"    {field}: {kind if isinstance(kind, str) else getattr(kind, '__name__', kind)}"
    plain = not issubclass(cls, (msgspec.Struct, BaseException)) and not getattr(cls, "_is_protocol", False)
    if plain and "__init__" in vars(cls):
        yield f"    def __init__{_signature(cls.__init__)}"
    for member in sorted(member for member in dir(cls) if not member.startswith("_")):
        found = inspect.getattr_static(cls, member)
        if hasattr(found, "fget"):  # a property, or what does one's work in C
            yield f"    {member}: property {_signature(found.fget)}"
        elif isinstance(found, (staticmethod, classmethod)):
            yield f"    {type(found).__name__} {member}{_signature(found.__func__)}"
        elif inspect.isfunction(found):
            # Inherited ones too: a method that moves to a base is still there for users.
            yield f"    {'async ' if inspect.iscoroutinefunction(found) else ''}def {member}{_signature(found)}"


def _signature(function: Any) -> str:
    try:
        signature = str(inspect.signature(function))
    except (TypeError, ValueError):
        return "(…)"
    # Annotations are strings; defaults that are objects show where in memory they are.
    return re.sub(r" at 0x[0-9a-f]+", "", signature.replace("'", ""))


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
