"""Random ids."""

from __future__ import annotations

import os
from uuid import UUID, SafeUUID

_urandom = os.urandom
_new = UUID.__new__
_set = object.__setattr__
_read = int.from_bytes
_unknown = SafeUUID.unknown
_CLEARED = ~(0xF000 << 64 | 0xC000 << 48)
_VERSION_4 = 0x4 << 76 | 0x8 << 60


def random_id() -> UUID:
    """A random UUID (version 4), equal in all to what `uuid.uuid4` makes, at half of its time.

    The 16 bytes are the system's, asked for each time: no process, forked or restored, repeats another's. What is
    left out is the constructor's looking at which of its six kinds of argument it was given.
    """
    made = _new(UUID)
    _set(made, "int", _read(_urandom(16), "big") & _CLEARED | _VERSION_4)
    _set(made, "is_safe", _unknown)
    return made
