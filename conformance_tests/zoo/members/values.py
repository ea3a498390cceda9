"""Values that come out other than they went in, or should not have been let in."""

from __future__ import annotations

import math
import unicodedata
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Altered, Wrapped
from mink_core import NewEvent, StoredEvent, UsageError


def each(value: Any, change: Any) -> Any:
    """A JSON value with each of its scalars changed, at every depth."""
    if type(value) is dict:
        return {key: each(item, change) for key, item in value.items()}
    if type(value) is list:
        return [each(item, change) for item in value]
    return change(value)


class _Scalars(Altered):
    """Changes scalars of data and metadata as they are read."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return value

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, data=each(event.data, self.scalar), metadata=each(event.metadata, self.scalar))


class _Lenient(Altered):
    """Changes what is stored, so that nothing has to be refused."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return value

    def into(self, event: NewEvent) -> NewEvent:
        return replace(event, data=each(event.data, self.scalar))


@breaks("JSON-01")
class ExponentsBecomeInts(_Scalars):
    """Keeps numbers as jsonb does: 1e16 comes out as an int."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return int(value) if type(value) is float and abs(value) >= 1e16 else value  # noqa: PLR2004 -- where repr turns


@breaks("JSON-01")
class WholeFloatsBecomeInts(_Scalars):
    """Writes 1.0 as 1."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return int(value) if type(value) is float and value.is_integer() and abs(value) < 1e15 else value  # noqa: PLR2004


@breaks("JSON-01")
class NumbersAreDoubles(_Scalars):
    """Keeps ints as doubles: above 2**53 they change."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return int(float(value)) if type(value) is int and abs(value) < 2**62 else value


@breaks("JSON-01")
class SixteenDigits(_Scalars):
    """Keeps 15 significant digits of a float."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return float(f"{value:.15g}") if type(value) is float and abs(value) < 1e300 else value  # noqa: PLR2004


@breaks("JSON-01")
class NormalizesText(_Scalars):
    """Brings text to Unicode's composed form."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return unicodedata.normalize("NFC", value) if type(value) is str else value


@breaks("JSON-01")
class TrimsText(_Scalars):
    """Keeps text in a column that drops trailing blanks."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return value.rstrip(" ") if type(value) is str else value


@breaks("JSON-01")
class DropsNulls(Altered):
    """Leaves out the keys whose value is null."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, data=self._without(event.data))

    def _without(self, value: Any) -> Any:
        if type(value) is dict:
            return {key: self._without(item) for key, item in value.items() if item is not None}
        return [self._without(item) for item in value] if type(value) is list else value


@breaks("JSON-01")
class EmptyDataIsNull(Altered):
    """Takes empty data for none."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return event if event.data or type(event.data) is not dict else replace(event, data=None)


@breaks("JSON-02")
class StripsNul(_Lenient):
    """Takes NUL out of text, instead of refusing it."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return value.replace("\0", "") if type(value) is str else value


@breaks("JSON-02")
class ReplacesSurrogates(_Lenient):
    """Writes a question mark for a lone surrogate, instead of refusing it."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return value.encode("utf-8", "replace").decode() if type(value) is str else value


@breaks("JSON-02")
class NanIsNull(_Lenient):
    """Stores null for NaN and the infinities."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return None if type(value) is float and not math.isfinite(value) else value


@breaks("JSON-02")
class TuplesAreLists(_Lenient):
    """Stores a tuple as a list."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return list(value) if type(value) is tuple else value


@breaks("JSON-02")
class WritesWhatItCan(_Lenient):
    """Stores the text of a UUID, a Decimal or a subclass of str."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return str(value) if isinstance(value, (UUID, Decimal, str)) else value


@breaks("JSON-02")
class KeysBecomeText(Altered):
    """Stores the text of a key that is no str."""

    def into(self, event: NewEvent) -> NewEvent:
        data = event.data
        if type(data) is dict:
            data = {key if type(key) is str else str(key): item for key, item in data.items()}
        return replace(event, data=data)


@breaks("JSON-02", "JSON-01")
class BigIntsBecomeFloats(_Lenient):
    """Stores an int above 64 bits as a float."""

    @staticmethod
    def scalar(value: Any) -> Any:
        return float(value) if type(value) is int and abs(value) >= 2**63 else value


@breaks("JSON-02")
class NamesNoPath(Wrapped):
    """Refuses what is no JSON without telling where it is."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except UsageError as error:
            if str(error).startswith(("data", "metadata")):
                msg = "not JSON serializable"
                raise UsageError(msg) from None
            raise


@breaks("JSON-04")
class AbsentMetadataIsNone(Altered):
    """Gives None where no metadata was given."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return event if event.metadata else replace(event, metadata=None)


@breaks("APPEND-12", "JSON-01")
class ShallowJson(Altered):
    """Cannot decode what is nested deeper than 64."""

    def out(self, event: StoredEvent) -> StoredEvent:
        depth, value = 0, event.data
        while isinstance(value, (list, dict)) and value:
            depth, value = depth + 1, next(iter(value.values() if isinstance(value, dict) else value))
        if depth > 64:  # noqa: PLR2004 -- the story's
            raise RecursionError
        return event
