"""A load in a process of its own, and how it hands over what it has sent."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class LoadClient:
    """The client process; `with` it.

    `serve(orders, *arguments)` runs there: it sends "ready", answers each order
    by `handed_over`, and ends with the connection.
    """

    def __init__(self, serve: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        assert self._ours.recv() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()

    def taken(self) -> NDArray[np.float64]:
        """What was answered since the last call, a row each."""
        self._ours.send("take")
        sent: NDArray[np.float64] = self._ours.recv()
        return sent


def handed_over(orders: Connection, answered: list[tuple[float, ...]], columns: int) -> bool:
    """The process's side: gives the rows away where they are asked for. False: nobody will ask any more."""
    if not orders.poll():
        return True
    try:
        orders.recv()
    except EOFError:
        return False
    orders.send(np.array(answered).reshape(-1, columns))
    answered.clear()
    return True
