"""`python -m conformance_tests TARGET`."""

from __future__ import annotations

import sys

# What the extra `conformance` brings.
_BROUGHT_BY_EXTRA = frozenset({"hypothesis", "rich", "typer", "click"})


def main(arguments: list[str] | None = None, program: str = "python -m conformance_tests") -> int:
    """Run the command line.

    Returns:
        The exit code; 2 where the extra `conformance` is not installed.
    """
    try:
        from conformance_tests.check import all_checks  # noqa: PLC0415 -- without the extra, importing fails
        from conformance_tests.cli import main as run  # noqa: PLC0415 -- as above

        all_checks()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _BROUGHT_BY_EXTRA:
            raise
        sys.stderr.write(f"{program}: the kit is not installed whole: pip install 'mink-eventstore[conformance]'\n")
        return 2
    return run(arguments, program)


if __name__ == "__main__":
    sys.exit(main())
