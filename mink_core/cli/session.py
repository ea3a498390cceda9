"""What every command shares: the store it works on and how it speaks."""

import os
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import typer

from mink_core import Store, open_store
from mink_core.administration import Administration
from mink_core.cli.redaction import without_secrets
from mink_core.errors import UsageError
from mink_core.registry import open_administration

ENVIRONMENT = "MINK_STORE_URL"

StoreUrl = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help=f"The store. Default: ${ENVIRONMENT}.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON lines, also on a terminal.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@dataclass
class Session:
    """The options that may stand before or after the command."""

    given: str | None = field(default=None, repr=False)
    """The URL given by option."""
    as_json: bool = False
    debug: bool = False
    for_example: ClassVar[str] = "postgresql://localhost/app, postgresql+embedded://./folder, memory://"

    def take(self, store: str | None, *, as_json: bool, debug: bool) -> None:
        """Take options over; what was given closer to the command wins."""
        self.given = store if store is not None else self.given
        self.as_json = self.as_json or as_json
        self.debug = self.debug or debug

    @property
    def url(self) -> str | None:
        """The store's URL, by option or else by environment."""
        return self.given if self.given is not None else os.environ.get(ENVIRONMENT) or None

    @property
    def shown_url(self) -> str:
        """The URL without its secrets."""
        return without_secrets(self.url or "")

    @property
    def scheme(self) -> str:
        """The URL's scheme: the name of the adapter."""
        return (self.url or "").partition("://")[0]

    def open(self, **options: Any) -> Store:
        """The store, with options beside those of its URL. Does no I/O before it is entered.

        Raises:
            UsageError: No store was named, or its URL or an option is wrong.
            AdapterError: No adapter can serve the URL.
        """
        return open_store(self._needed_url(), **options)

    def _needed_url(self) -> str:
        if self.url is None:
            msg = f"which store? Give --store URL or set {ENVIRONMENT}; for example {self.for_example}"
            raise UsageError(msg)
        return self.url

    def administer(self) -> AbstractContextManager[Administration]:
        """The store's administration. Does no I/O before it is entered.

        Raises:
            UsageError: No store was named, its URL is wrong, or there is nothing to administer.
            AdapterError: No adapter can serve the URL.
        """
        return open_administration(self._needed_url())

    @property
    def speaks_json(self) -> bool:
        """Whether to print JSON lines rather than tables."""
        return self.as_json or not sys.stdout.isatty()


def session_of(ctx: typer.Context, store: str | None, as_json: bool, debug: bool) -> Session:
    """The session, with the options that stood after the command."""
    session = ctx.ensure_object(Session)
    session.take(store, as_json=as_json, debug=debug)
    return session
