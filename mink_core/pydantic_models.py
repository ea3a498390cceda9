"""Pydantic models as JSON and back, without importing pydantic."""

from __future__ import annotations

import inspect
from typing import Any

from mink_core.errors import UsageError


def is_model(cls: type[Any]) -> bool:
    """Whether a class is a pydantic model."""
    return hasattr(cls, "model_validate")


class ModelForm:
    """How the models of one class are stored: by the names of their fields, without what is computed from them.

    Aliases are what others call the fields, and may differ between reading and writing: what is stored goes by names.
    Reading takes both, since an event may have been written by alias.
    """

    def __init__(self, cls: type[Any]) -> None:
        """Look at the class once."""
        self._cls = cls
        fields, config = cls.model_fields, cls.model_config
        # Pydantic 2.11 and newer, unless the class has a `model_validate` of its own.
        by_name = "by_name" in inspect.signature(cls.model_validate).parameters
        self._reading = {"by_name": True} if by_name else {}
        self._unreadable = [
            name
            for name, field in fields.items()
            if field.validation_alias is not None
            and not by_name
            and not (config.get("populate_by_name") or config.get("validate_by_name"))
        ]
        # `round_trip` leaves out computed fields, and has `Json` fields as the text that they are made of.
        self._writing: dict[str, Any] = {"mode": "json", "round_trip": True}
        # A class that asks for it is stored by alias, unless it could not be read by that.
        aliases = [(field.serialization_alias, field.validation_alias) for field in fields.values()]
        if any(written is not None and written != read for written, read in aliases):
            self._writing["by_alias"] = False

    def to_json(self, payload: Any) -> Any:
        """A model as JSON.

        Raises:
            UsageError: It has an alias, and this pydantic could not read it by the names of its fields.
        """
        if self._unreadable:
            msg = (
                f"{self._cls.__name__} has an alias for {', '.join(self._unreadable)}, and is stored by the names of its "
                "fields, which it could not be read by; nothing was stored: take pydantic 2.11 or newer, or "
                "ConfigDict(populate_by_name=True)"
            )
            raise UsageError(msg)
        return payload.model_dump(**self._writing)

    def from_json(self, data: Any) -> Any:
        """JSON as a model.

        Raises:
            ValueError: It does not fit.
        """
        return self._cls.model_validate(data, **self._reading)
