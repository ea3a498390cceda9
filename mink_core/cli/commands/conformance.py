"""`mink conformance`: hands over to the conformance kit."""

import importlib

import typer

from mink_core.cli.failures import WRONG_USAGE

EXAMPLES = """\
Examples:
  mink conformance memory://
  mink conformance postgresql://app@localhost/app --level smoke --html report.html
  mink conformance my_package.store:open --rules 'FEED-*'
  mink conformance --list
  mink conformance --help
"""


def conformance(ctx: typer.Context) -> None:
    """Prove a store against the rules of the contract.

    TARGET is a store's URL, or package.module:callable that opens the store of a namespace. For a
    URL the kit makes namespaces of its own beside the data that is there, and removes them.
    """
    try:
        # By name: nothing of the core may import the kit.
        kit = importlib.import_module("conformance_tests.__main__")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "conformance_tests":
            raise
        typer.echo("mink: the conformance kit is not installed: pip install 'mink-eventstore[conformance]'", err=True)
        raise typer.Exit(WRONG_USAGE) from None
    raise typer.Exit(kit.main(ctx.args, "mink conformance"))
