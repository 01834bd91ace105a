"""Work for a client lasts as long as the client: who leaves is worked for no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

_T = TypeVar("_T")


async def while_connected(request: Request, work: Awaitable[_T]) -> _T:
    """The result of `work`, whose request's body has been read.

    Cancels it, and raises `ClientDisconnect`, when the client closes the connection before.
    """
    task = asyncio.current_task()
    assert task is not None
    left = False

    async def watch() -> None:
        nonlocal left
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left = True
        task.cancel()

    watching = asyncio.create_task(watch())
    try:
        result = await work
        if left:
            await asyncio.sleep(0)  # it left in this very turn of the loop: here its cancellation arrives
    except asyncio.CancelledError:
        if not left:
            raise  # somebody else's
        task.uncancel()
        raise ClientDisconnect from None
    finally:
        watching.cancel()
    return result
