"""`mink_async_store` under pytest-asyncio: a store lives in one event loop, and a test chooses its loop's scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mink_core import AsyncStore


def _in_loop(scope: Any) -> Any:
    # A function each: pytest-asyncio writes the loop's scope onto it.
    async def opened(mink_store_url: str, mink_store_options: dict[str, Any]) -> AsyncGenerator[AsyncStore]:
        from mink_pytest.places import opened_async  # noqa: PLC0415 -- see the package

        async with opened_async(mink_store_url, mink_store_options) as store:
            yield store

    return pytest_asyncio.fixture(opened, loop_scope=scope, name=f"_mink_async_store_in_{scope}_loop")


in_function_loop = _in_loop("function")
in_class_loop = _in_loop("class")
in_module_loop = _in_loop("module")
in_package_loop = _in_loop("package")
in_session_loop = _in_loop("session")
