"""`mink check`."""

import typer

from mink_core.cli.failures import REFUSED
from mink_core.cli.output import Printer
from mink_core.cli.session import Session
from mink_core.cli.views import FINDINGS

EXAMPLES = """\
Examples:
  mink check
  mink check --json | jq .subject
"""


def check(session: Session) -> None:
    """Look for damage that writes past the store have done.

    Reads the whole store. Names at most the first 100 streams that are not as the store would have
    left them, and ends with exit code 1 where it found any.
    """
    with session.open() as opened:
        findings = opened.check()
    Printer(session, FINDINGS).batch(findings)
    if findings:
        raise typer.Exit(REFUSED)
    if not session.speaks_json:
        typer.echo("nothing is wrong")
