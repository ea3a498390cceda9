"""How many mutants of the memory adapter's core the conformance suite kills, alone, at `smoke`.

    python -m tests.mutation --mutants 200 --seed 1

The mutants are cosmic-ray's (`pip install cosmic-ray`), drawn evenly from those that can change what the code does.
They are applied to a copy of the tree. The survivors' diffs are printed as Markdown.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

ROOT = Path(__file__).parents[2]
MODULES = [
    "mink_core/deciding.py",
    "mink_core/encoded.py",
    "mink_core/matching.py",
    "mink_memory/drafts.py",
    "mink_memory/feed.py",
    "mink_memory/history.py",
    "mink_memory/keys.py",
    "mink_memory/locks.py",
    "mink_memory/log.py",
    "mink_memory/open_transaction.py",
    "mink_memory/staging.py",
    "mink_memory/streams.py",
    "mink_memory/view.py",
]
CONFIG = """\
[cosmic-ray]
module-path = {modules}
timeout = 120.0
excluded-modules = []
test-command = "{python} -m tests.mutation.judge {seed}"

[cosmic-ray.distributor]
name = "local"
"""


def silent_lines(source: str) -> set[tuple[int, int]]:
    """Positions in annotations, in `if TYPE_CHECKING` and in `__slots__`: a mutant there changes nothing that runs."""
    found: set[tuple[int, int]] = set()

    def leave_out(node: ast.AST | None) -> None:
        if node is not None:
            found.update((inner.lineno, inner.col_offset) for inner in ast.walk(node) if hasattr(inner, "lineno"))
            for line in range(node.lineno, node.end_lineno + 1):  # type: ignore[attr-defined]
                first = node.col_offset if line == node.lineno else 0  # type: ignore[attr-defined]
                last = node.end_col_offset if line == node.end_lineno else 500  # type: ignore[attr-defined]
                found.update((line, column) for column in range(first, last))

    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(returns=annotation) | ast.AsyncFunctionDef(returns=annotation):
                leave_out(annotation)
            case ast.arg(annotation=annotation) | ast.AnnAssign(annotation=annotation):
                leave_out(annotation)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Assign(targets=[ast.Name(id="__slots__")]):
                leave_out(node)
    return found


def sample(database: WorkDB, mutants: int, seed: int, only: str | None) -> int:
    """Leave all but the drawn mutants out."""
    silent = {module: silent_lines((ROOT / module).read_text("utf-8")) for module in MODULES}

    def runs(item: WorkItem) -> bool:
        spec = item.mutations[0]
        if only is not None and only not in str(spec.module_path):
            return False
        return tuple(spec.start_pos) not in silent[str(spec.module_path)]

    pending = sorted(database.pending_work_items, key=lambda item: (str(item.mutations[0].module_path), item.mutations[0].start_pos, item.mutations[0].operator_name, item.mutations[0].occurrence))  # fmt: skip
    possible = [item for item in pending if runs(item)]
    drawn = {item.job_id for item in random.Random(seed).sample(possible, min(mutants, len(possible)))}
    for item in pending:
        if item.job_id not in drawn:
            database.set_result(item.job_id, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))
    return len(possible)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="a part of a module's path")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mink-mutation-"))
    try:
        for package in ("mink_core", "mink_memory", "conformance_tests", "tests/mutation"):
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "tests/__init__.py").touch()
        config = folder / "mutation.toml"
        config.write_text(CONFIG.format(modules=MODULES, python=sys.executable, seed=given.seed))
        session = str(folder / "session.sqlite")
        subprocess.run(["cosmic-ray", "init", str(config), session], cwd=folder, check=True)
        with use_db(session) as database:
            possible = sample(database, given.mutants, given.seed, given.only)
        begun = time.monotonic()
        subprocess.run([sys.executable, "-m", "tests.mutation.judge", str(given.seed)], cwd=folder, check=True)
        alone = time.monotonic() - begun
        print(f"{possible} mutants are possible; the suite takes {alone:.0f} s without one", flush=True)
        subprocess.run(["cosmic-ray", "exec", str(config), session], cwd=folder, check=True)
        with use_db(session, WorkDB.Mode.open) as database:
            done = [(item, result) for item, result in database.completed_work_items if result.worker_outcome is not WorkerOutcome.SKIPPED]  # fmt: skip
        survivors = [(item, result) for item, result in done if result.test_outcome is TestOutcome.SURVIVED]
        killed = len(done) - len(survivors)
        print(f"{killed} of {len(done)} killed ({killed / max(len(done), 1):.0%}), in {time.monotonic() - begun:.0f} s")
        for item, result in survivors:
            spec = item.mutations[0]
            print(
                f"\n### {spec.module_path}:{spec.start_pos[0]} {spec.operator_name}\n\n```diff\n{_changed(result.diff)}\n```"
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _changed(diff: str | None) -> str:
    lines = (diff or "").splitlines()
    return "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"})


if __name__ == "__main__":
    sys.exit(main())
