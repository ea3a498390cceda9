"""Writes what the documentation takes from the code: `python docs/generate.py`.

- `docs/rules.md`: every rule with the checks that prove it, from the kit's registry.
- the links from each rule of `docs/contract.md` to its place there.
- the table of capabilities in `docs/adapters.md`.
- `docs/decisions/README.md`: the list of decisions.
- `docs/benchmarks.md`: the figures of the runs that are kept in `docs/benchmarks/`.
- `docs/pictures/*.svg` that are made from text.

`tests/docs/test_generated.py` fails when one of them is not what this writes. The plots of the runs, in
`docs/pictures/benchmarks/`, are drawn too; they depend on the version of matplotlib, so the test only looks which there are.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import benchmark_results
from pictures import sequence, timelines

from conformance_tests.check import Check, all_checks
from conformance_tests.rules import RULES
from mink_core import Capability, open_store

DOCS = Path(__file__).parent

_AREAS = {
    "APPEND": "Appending",
    "JSON": "JSON values",
    "READ": "Reading",
    "FEED": "The feed",
    "SUB": "Subscriptions",
    "TX": "Transactions",
    "SNAP": "Snapshots",
    "OUTBOX": "The outbox",
    "IDEM": "Idempotency keys",
    "SAGA": "Sagas",
    "PRIV": "Privacy",
    "CAP": "Capabilities",
    "LIFE": "Opening and closing",
}
_RULE = re.compile(r"^- \*\*(?:\[)?([A-Z]+-\d\d)(?:\]\(rules\.md#[a-z0-9-]+\))?\*\*", re.MULTILINE)


def rules_page() -> str:
    """Every rule, and what proves it."""
    checks = all_checks()
    proved = {number: [check for check in checks if number in check.rules] for number in RULES}
    lines = [
        "# Rules and their checks",
        "",
        "Written by `docs/generate.py` from the conformance kit's own list, so it is what the kit runs.",
        f"{len(RULES)} rules, {len(checks)} checks. [The contract](contract.md) explains the rules;",
        "[how the kit looks](conformance-layers.md) explains the layers.",
        "",
        "One rule alone, against a store of yours:",
        "",
        "```sh",
        "python -m conformance_tests memory:// --level smoke --rules APPEND-03",
        "```",
    ]
    area = ""
    for rule in RULES.values():
        if rule.area != area:
            area = rule.area
            lines += ["", f"## {_AREAS.get(area, area)}"]
        lines += ["", f"### {rule.number}", "", _text(rule.text)]
        if rule.capability:
            lines += ["", f"Asked only of stores that declare `{rule.capability}`."]
        if rule.untested:
            lines += ["", f"Not proved by a check: {_text(rule.untested)}"]
        if proved[rule.number]:
            lines += ["", *(_item(check) for check in proved[rule.number])]
    return "\n".join(lines) + "\n"


def _item(check: Check) -> str:
    where = Path(inspect.getfile(check.body)).name
    level = "" if check.level.name == "SMOKE" else f", from level {check.level.name.lower()} on"
    return f"- {_text(check.claim)}<br>`{check.name}` in `checks/{where}`, {check.layer.value}{level}"


def _text(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")


def contract_page(text: str) -> str:
    """The contract with each rule's number linked to its checks."""

    def linked(found: re.Match[str]) -> str:
        number = found[1]
        return f"- **[{number}](rules.md#{number.lower()})**" if number in RULES else f"- **{number}**"

    return _RULE.sub(linked, text)


_MARK = "<!-- capabilities -->"
_STORES = {
    "`memory://`": ("memory://", {"privacy": True, "unique_event_ids": True}),
    "`postgresql://`": ("postgresql://host/database", {"privacy": True, "unique_event_ids": True}),
    "`nats://`": ("nats://host/store", {}),
}
_OPTIONAL = {Capability.PRIVACY: "with `privacy=true`", Capability.UNIQUE_EVENT_IDS: "with `unique_event_ids=true`"}


def adapters_page(text: str) -> str:
    """The page with the table of what each adapter declares, asked of the stores themselves."""
    declared = {name: open_store(url, **options).capabilities for name, (url, options) in _STORES.items()}
    lines = [f"| capability | {' | '.join(declared)} |", "|---|---|---|---|"]
    for one in Capability:
        said = [_OPTIONAL.get(one, "yes") if one in has else "no" for has in declared.values()]
        lines.append(f"| {one.name} | {' | '.join(said)} |")
    before, _, after = text.partition(_MARK)
    after = re.sub(r"\A\n+(\|[^\n]*\n)*", "", after)
    return f"{before}{_MARK}\n\n" + "\n".join(lines) + f"\n\n{after.lstrip()}"


def decisions_page() -> str:
    """The list of decisions, by number."""
    lines = ["# Decisions", "", "What was chosen, and the figures it was chosen by.", ""]
    for path in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        title = re.sub(r"^# *\d+[.·\s]*", "", path.read_text("utf-8").partition("\n")[0])
        lines.append(f"- [{path.name[:4]}]({path.name}): {title}")
    return "\n".join(lines) + "\n"


def written() -> dict[Path, str]:
    """Every file that is made, and its text."""
    pictures = DOCS / "pictures"
    return {
        DOCS / "rules.md": rules_page(),
        DOCS / "contract.md": contract_page((DOCS / "contract.md").read_text("utf-8")),
        DOCS / "adapters.md": adapters_page((DOCS / "adapters.md").read_text("utf-8")),
        DOCS / "decisions" / "README.md": decisions_page(),
        DOCS / "benchmarks.md": benchmark_results.page(DOCS),
        **{path.with_suffix(".svg"): sequence.draw(path.read_text("utf-8")) for path in sorted(pictures.glob("*.txt"))},
        **{pictures / f"{name}.svg": timelines.draw(text) for name, text in timelines.TIMELINES.items()},
    }


def main() -> None:
    """Write them all."""
    for path, text in written().items():
        path.write_text(text, "utf-8")
    benchmark_results.draw_plots(DOCS)


if __name__ == "__main__":
    main()
