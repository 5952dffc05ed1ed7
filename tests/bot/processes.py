"""Processes that tests start; none outlives its test, whatever the test does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.bot.conftest import ROOT


@asynccontextmanager
async def python(*arguments: str, environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python ARGUMENTS` in the repository root, with its output in pipes."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=dict(environment), stdout=pipe, stderr=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
