"""What is wrong with a running system, one line a part: the rules behind `vitrine status` and its exit code.

Each takes what was seen and gives the problems; none asks anybody. A line
begins with the part's name, and says what to do where a person has to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from cli.runtime.processes import ProcessRecord
from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.supervisor import TRIES, PartState
from cli.runtime.watchdog.state import NAME as WATCHDOG
from cli.runtime.watchdog.state import WatchdogState

FLAPS = 3
FLAPPING_S = 300.0
"""A part that was started `FLAPS` times more within that time is flapping, though it may run at the moment."""

SILENT_S = 60.0
"""The watchdog writes its state every five seconds; on a busy machine less often."""

GROWING = 3
LEAST_LAG = 1000
"""A lag that is smaller does not count as growing: between two checkpoints it always grows."""


def process_problems(
    wanted: Sequence[str],
    records: Mapping[str, ProcessRecord | None],
    states: Mapping[str, PartState] | None,
    now_s: float,
) -> list[str]:
    """Parts that are missing, restarting, given up or flapping.

    `records`: of the processes that run, None for those that do not;
    `states`: the supervisor's word, None when it does not answer.
    """
    if not wanted:
        return []
    problems = []
    if records.get(SUPERVISOR) is None:
        problems.append(f"{SUPERVISOR}: is not running, so nothing restarts what dies: vitrine start")
    elif states is None:
        problems.append(f"{SUPERVISOR}: does not answer: vitrine start")
    for name in wanted:
        record = records.get(name)
        state = (states or {}).get(name)
        if state is not None and state.state == "FATAL":
            problems.append(f"{name}: failed {TRIES} times in a row, given up: see logs/{name}.log, then vitrine start")
        elif record is None:
            coming = state is not None and state.state in ("STARTING", "BACKOFF", "EXITED")
            problems.append(f"{name}: is not running" + (", restarting" if coming else ": vitrine start"))
        else:
            recent = [start for start in record.starts[1:] if now_s - start < FLAPPING_S]
            if len(recent) >= FLAPS:
                problems.append(f"{name}: flapping, restarted {len(recent)} times in 5 minutes: logs/{name}.log")
            elif recent and state is not None and state.state == "STARTING":
                problems.append(f"{name}: restarting, since {state.since_s:.0f} s")
    return problems


def job_problems(state: str, running: int, tasks: int, failure: str | None, what: str = "job") -> list[str]:
    """The streaming job, or the one that `what` names, is not RUNNING with all tasks."""
    if state == "RUNNING" and tasks > 0 and running == tasks:
        return []
    return [f"{what}: {state}, {running} of {tasks} tasks run" + (f"; latest failure: {failure}" if failure else "")]


def watchdog_problems(state: WatchdogState, now_s: float) -> list[str]:
    """What the watchdog says, that it says nothing, and a lag that grows."""
    problems = []
    if state.written_at and now_s - state.written_at > SILENT_S:
        problems.append(f"{WATCHDOG}: has not looked at the job for {now_s - state.written_at:.0f} s")
    if state.given_up:
        problems.append(f"{WATCHDOG}: has given up: {state.failure or state.problem}; mend it, then vitrine start")
    elif state.failure:
        problems.append(f"{WATCHDOG}: the job could not be submitted: {state.failure}")
    recent = [at for at in state.restarts if now_s - at < FLAPPING_S]
    if recent:
        problems.append(f"{WATCHDOG}: has restarted what hung {len(recent)} times in 5 minutes: {_log(WATCHDOG)}")
    for stage, lags in (
        ("catalogue", [(lag.at, lag.catalogue) for lag in state.lags]),
        ("extraction", [(lag.at, lag.extraction) for lag in state.lags]),
    ):
        if (grown := grows(lags)) is not None:
            problems.append(f"lag of the {stage} stage grows: {grown} records, and it does not catch up")
    return problems


def grows(lags: Sequence[tuple[float, int]], window_s: float = 20.0) -> int | None:
    """The last lag, when the least lag of each of the last windows is above that of the one before.

    The least, because a lag is counted to the last checkpoint: it is a saw-tooth also where all is well.
    """
    if not lags:
        return None
    end = lags[-1][0]
    least = []
    for window in range(GROWING):
        inside = [lag for at, lag in lags if window_s * window <= end - at < window_s * (window + 1)]
        if not inside:
            return None
        least.append(min(inside))
    risen = all(later > earlier for later, earlier in pairwise(least))
    return lags[-1][1] if risen and least[0] > LEAST_LAG else None


def stale(watermark_ms: int, now_ms: int, limit_s: float, what: str) -> list[str]:
    """The index does not reflect what the shop wrote `limit_s` ago, though heartbeats should see to it."""
    age_s = (now_ms - watermark_ms) / 1000
    if watermark_ms == 0:
        return [f"{what}: has no watermark yet"]
    return [f"{what}: stale, the watermark is {age_s:.0f} s old"] if age_s > limit_s else []


def _log(name: str) -> str:
    return f"logs/{name}.log"
