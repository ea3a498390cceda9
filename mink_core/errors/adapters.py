"""What an adapter does not offer, and adapters that cannot be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.errors.root import MinkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.capability import Capability


class CapabilityNotSupportedError(MinkError):
    """The adapter does not offer a capability.

    Attributes:
        adapter: The adapter's name.
        capability: What was asked of it.
    """

    def __init__(self, adapter: str, capability: Capability, hint: str = "") -> None:
        """Keep both; `hint` says how to get the capability, where there is a way."""
        super().__init__(
            f"the {adapter} adapter does not offer {capability.name}{hint and ': ' + hint}; nothing was done"
        )
        self.adapter = adapter
        self.capability = capability


class AdapterError(MinkError):
    """No adapter could be chosen for a URL."""


class UnknownAdapterError(AdapterError, LookupError):
    """No adapter is registered for a URL's scheme.

    Attributes:
        scheme: The scheme that was asked for.
        known: The schemes that are registered.
    """

    def __init__(self, scheme: str, known: Sequence[str]) -> None:
        """Keep the scheme and the known ones."""
        super().__init__(
            f"no adapter is registered for {scheme + '://'!r}; known are: {', '.join(name + '://' for name in known)}"
        )
        self.scheme = scheme
        self.known = tuple(known)


class AdapterNotInstalledError(AdapterError, ImportError):
    """An adapter is known, but what it needs is not installed.

    Attributes:
        scheme: The scheme that was asked for.
        extra: The pip extra that installs what is missing.
    """

    def __init__(self, scheme: str, extra: str, missing: str) -> None:
        """Keep the scheme and the extra; `missing` is the module that was not found."""
        super().__init__(
            f"{scheme}:// needs {missing!r}, which is not installed: pip install 'mink-eventstore[{extra}]'"
        )
        self.scheme = scheme
        self.extra = extra
