"""A transform that stores chosen fields encrypted, each with the key of the person whom they are about."""

from __future__ import annotations

import base64
import binascii
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import msgspec

from mink_core.encryption.cipher import Cipher, default_cipher
from mink_core.errors import UsageError
from mink_core.json_codec import JsonValue, decode_json, encode_json
from mink_core.limits import check_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mink_core.encryption.keys import SubjectKeys
    from mink_core.events import NewEvent, StoredEvent

SEALED = "$sealed"
"""The key that marks a sealed value: `{"$sealed": "<base64>", "subject": "<id>"}`."""
_SUBJECT = "subject"

# Keys are sorted, since JSON that differs in their order only must give the same bytes (JSON-03, APPEND-09).
_sorted = msgspec.json.Encoder(order="deterministic").encode


class EncryptedFields:
    """Seals fields on the way to the store and unseals them on the way back.

    A sealed value is bound to its stream, event type, event id and place, so that nobody with access to
    the tables can move one person's value to another event unnoticed. Once the person's key is
    erased, the field reads as `erased` everywhere, in backups and exports too, and the history
    stays whole. Values stored before encryption was switched on are read as they are.

    Not sealed are ids, types, metadata, the subject's id itself, the length of a value, and what the
    application copies to snapshots, outbox messages, sagas and read models.
    """

    def __init__(
        self,
        keys: SubjectKeys,
        *,
        fields: Mapping[str, Iterable[str | tuple[str, ...]]],
        subject: Callable[[str, NewEvent], str],
        erased: JsonValue = None,
        cipher: Cipher | None = None,
    ) -> None:
        """Say what is sealed, and for whom.

        Args:
            keys: The subjects' keys.
            fields: By event type, the fields of `data` to seal: a key, or a tuple of keys for one further
                inside; `()` is all of `data`. A field that an event does not have is left out.
            subject: Whom an event is about, from its stream id and itself: a str of 1 to 500 characters. Asked
                where there is something to seal.
                Use an id that tells nothing about the person: it is stored in clear.
            erased: What a field reads as once its key is gone.
            cipher: AES-SIV (extra `encryption`) when not given.

        Raises:
            UsageError: No cipher was given, and `cryptography` is not installed; or the fields of a
                type are a single str, or hold what is no key and no tuple of keys.
        """
        self._keys = keys
        self._fields = fields
        # Worked out once: a generator would be empty at the second event, which would be stored in clear.
        self._known = {event_type: _paths(event_type, paths) for event_type, paths in fields.items()}
        self._subject = subject
        self._erased = erased
        self._cipher = default_cipher() if cipher is None else cipher

    def outgoing(self, stream_id: str, event: NewEvent) -> NewEvent:
        """Seal the event's fields.

        Raises:
            SubjectErasedError: The subject was erased; nothing was stored.
            UsageError: A value is no JSON, or the subject is no str of 1 to 500 characters.
        """
        paths = self._paths(event.event_type)
        if not paths:
            return event
        data = event.data
        subject, key = "", b""
        for path in paths:
            if not _has(data, path):
                continue
            if not key:  # an event with nothing to seal, such as a redacted one, is about nobody
                subject = self._subject(stream_id, event)
                key = self._key(subject)
            data = _replaced(data, path, self._seal(_at(data, path), subject, key, _context(stream_id, event, path)))
        return msgspec.structs.replace(event, data=data)

    def incoming(self, event: StoredEvent) -> StoredEvent:
        """Unseal what can be unsealed.

        Raises:
            UsageError: A sealed value was changed in the store, or moved there from elsewhere, or the
                subject's key is another one.
        """
        paths = self._paths(event.event_type)
        if not paths:
            return event
        data = event.data
        for path in reversed(paths):  # a field inside of a sealed one was sealed first
            if _has(data, path):
                data = _replaced(data, path, self._unseal(_at(data, path), event, path))
        return msgspec.structs.replace(event, data=data)

    def _paths(self, event_type: object) -> Sequence[tuple[str, ...]]:
        if not isinstance(event_type, str):
            return ()  # refused after the transforms
        known = self._known.get(event_type)
        # A mapping may give more than it lists.
        return _paths(event_type, self._fields.get(event_type, ())) if known is None else known

    def _key(self, subject: object) -> bytes:
        # Another subject would be stored and never be found again by readers.
        name = check_text(subject, "an event's subject")
        return self._keys.get(name) or self._keys.add(name, self._cipher.new_key())

    def _seal(self, value: Any, subject: str, key: bytes, context: bytes) -> JsonValue:
        encode_json(value)  # refuses what is no JSON, with the path to it
        sealed = self._cipher.seal(key, _sorted(value), context)
        return {SEALED: base64.b64encode(sealed).decode(), _SUBJECT: subject}

    def _unseal(self, value: Any, event: StoredEvent, path: tuple[str, ...]) -> Any:
        if not _is_sealed(value):
            return value
        key = self._keys.get(value[_SUBJECT])
        if key is None:
            return deepcopy(self._erased)  # a reader may change what it was given (READ-08)
        try:
            sealed = base64.b64decode(value[SEALED], validate=True)
            return decode_json(self._cipher.unseal(key, sealed, _context(event.stream_id, event, path)))
        except (ValueError, binascii.Error) as error:
            msg = (
                f"the field {'.'.join(path) or 'data'} of event {event.event_type!r} at position {event.global_position} "
                f"does not open with the key of subject {value[_SUBJECT]!r}: it was changed in the store, or the key was"
            )
            raise UsageError(msg) from error


def _paths(event_type: object, fields: Iterable[object]) -> Sequence[tuple[str, ...]]:
    """Deepest first, so that what holds a sealed field is sealed after it."""
    if isinstance(fields, (str, bytes)):
        msg = f"the fields of {event_type!r} are a single {type(fields).__name__}, not a list of fields: write [{fields!r}]"
        raise UsageError(msg)
    paths = {_path(event_type, field) for field in fields}
    return sorted(paths, key=lambda path: (-len(path), path))


def _path(event_type: object, field: object) -> tuple[str, ...]:
    if isinstance(field, str):
        return (field,)
    keys: tuple[Any, ...] = tuple(field) if isinstance(field, (tuple, list)) else (field,)
    if not all(isinstance(key, str) for key in keys):
        msg = f"a field of {event_type!r} is a key or a tuple of keys, each a str, not {field!r:.60}"
        raise UsageError(msg)
    return keys


def _has(data: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(data, dict) or name not in data:
            return False
        data = data[name]
    return True


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        data = data[name]
    return data


def _replaced(data: Any, path: tuple[str, ...], value: Any) -> Any:
    """A copy with another value at `path`; what the caller holds stays as it is (APPEND-08)."""
    if not path:
        return value
    return {**data, path[0]: _replaced(data[path[0]], path[1:], value)}


def _is_sealed(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {SEALED, _SUBJECT}
        and isinstance(value[SEALED], str)
        and isinstance(value[_SUBJECT], str)
    )


def _context(stream_id: str, event: NewEvent | StoredEvent, path: tuple[str, ...]) -> bytes:
    # None of them holds a NUL; what else is wrong with an id is refused after the transforms.
    return "\0".join([stream_id, event.event_type, str(event.event_id), *path]).encode("utf-8", "surrogatepass")
