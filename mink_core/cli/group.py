"""The command group: what a command raises ends here."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from mink_core.cli.failures import DONE, INTERRUPTED, exit_code_of, leave_closed_pipe, tell
from mink_core.cli.redaction import redact
from mink_core.cli.session import Session


class MinkGroup(TyperGroup):
    """Turns errors into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        session = ctx.ensure_object(Session)
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            leave_closed_pipe()
            raise typer.Exit(DONE) from None
        except Exception as error:
            if _is_the_parser_s(error):
                # A URL in the wrong place is quoted as an unknown command or argument.
                error.message = redact(error.message, session.url)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
                raise
            tell(error, url=session.url, debug=session.debug)
            raise typer.Exit(exit_code_of(error)) from None


def _is_the_parser_s(error: Exception) -> bool:
    # By shape: typer brings a click of its own from some version on, and shows these itself.
    return hasattr(error, "show") and isinstance(getattr(error, "message", None), str)
