"""The conformance kit's pytest plugin: `pytest --pyargs conformance_tests --mink-target TARGET`, or a class of `conformance_tests.suite`.

It stands here rather than in the kit, since a module of a package imports the package: nothing of the
kit is imported before a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from conformance_tests.check import Check
    from conformance_tests.results import Result
    from conformance_tests.target import Target
    from mink_core import Capability


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the options."""
    group = parser.getgroup("mink", "conformance of an event store (Mink)")
    group.addoption("--mink-target", metavar="TARGET", help="a store's URL, or package.module:callable")
    group.addoption("--mink-door", choices=["sync", "async"], help="for a URL that has both: which store")
    group.addoption("--mink-level", default="standard", choices=["smoke", "standard", "deep"], help="how much is run")
    group.addoption("--mink-seed", type=int, default=0, help="of all that is drawn")
    group.addoption("--mink-rules", metavar="GLOB", default="*", help="only checks of these rules, or so named")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test a check."""
    if "mink_check" not in metafunc.fixturenames:
        return
    from conformance_tests.check import all_checks  # noqa: PLC0415 -- see the module

    level, rules = _level(metafunc.config, metafunc.cls), str(metafunc.config.getoption("--mink-rules"))
    chosen = [check for check in all_checks() if check.level <= level and check.matches(rules)]
    metafunc.parametrize("mink_check", chosen, ids=[check.id for check in chosen])


def _level(config: pytest.Config, cls: Any) -> Any:
    from conformance_tests.level import Level  # noqa: PLC0415 -- see the module

    return Level[str(getattr(cls, "level", None) or config.getoption("--mink-level")).upper()]


@pytest.fixture(scope="class")
def mink_target(request: pytest.FixtureRequest) -> Generator[Target]:
    """What is tested: the class's `open` or `target`, else the option's."""
    from conformance_tests.target import target_of  # noqa: PLC0415 -- see the module

    config, cls = request.config, request.cls
    spec: Any = getattr(cls, "open", None) or getattr(cls, "target", None) or config.getoption("--mink-target")
    if not spec:
        pytest.fail("say what to test: --mink-target TARGET, a store's URL or package.module:callable", pytrace=False)
    door: Any = getattr(cls, "door", None) or config.getoption("--mink-door")
    with target_of(spec, door=door) as target:
        yield target


@pytest.fixture(scope="class")
def mink_capabilities(mink_target: Target) -> frozenset[Capability]:
    """What the store declares."""
    from conformance_tests.runner import look  # noqa: PLC0415 -- see the module

    return look(mink_target)[0]


@pytest.fixture
def mink_run(
    request: pytest.FixtureRequest, mink_target: Target, mink_capabilities: frozenset[Capability]
) -> Callable[[Check], None]:
    """Runs a check; what fails is the test's failure, what says nothing is skipped with its reason."""
    seed: Any = getattr(request.cls, "seed", None)
    seed = request.config.getoption("--mink-seed") if seed is None else seed
    level = _level(request.config, request.cls)

    def run(check: Check) -> None:
        from conformance_tests.runner import run_check  # noqa: PLC0415 -- see the module

        _judge(run_check(check, mink_target, level=level, seed=seed, capabilities=mink_capabilities))

    return run


def _judge(result: Result) -> None:
    from conformance_tests.report.timeline import as_text  # noqa: PLC0415 -- see the module
    from conformance_tests.results import Status  # noqa: PLC0415 -- see the module

    if result.status is Status.FAILED:
        lines = [f"{result.broken.number}: {result.broken.text}", result.what]
        lines += [f"expected: {result.expected}", f"seen:     {result.seen}", *result.notes]
        if result.timeline:
            lines += ["the calls that led to it:", as_text(result.timeline)]
        pytest.fail("\n".join([*lines, f"check {result.check.id}, seed {result.seed}"]), pytrace=False)
    if result.status is not Status.PASSED:
        pytest.skip(f"{result.status.value}: {result.what}")
