"""What every service process does alike: log lines, the start-up line, signals, exit codes."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

from schemas.errors import OperatorError
from schemas.settings import Settings, load_settings, settings_json

log = logging.getLogger(__name__)

Body = Callable[[Settings, asyncio.Event], Awaitable[None]]


def run_process(name: str, body: Body) -> int:
    """Reads the settings and runs `body(settings, stop)` until it returns; SIGTERM and SIGINT set `stop`.

    Returns the exit code: 0, or 2 after an `OperatorError`, whose one line goes to stderr.
    """
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s level=%(levelname)s logger=%(name)s %(message)s"
    )
    try:
        settings = load_settings()
        log.info("event=start service=%s settings=%s", name, settings_json(settings))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signalled(settings, body))
    except OperatorError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    log.info("event=stopped service=%s", name)
    return 0


async def _until_signalled(settings: Settings, body: Body) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # The modules stay for good: the collector need not walk them while queries wait.
    gc.freeze()
    await body(settings, stop)
