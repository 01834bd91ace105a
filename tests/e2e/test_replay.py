"""The nightly replay on the whole system: heals what is lost, and bears being killed.

That it finds nothing where nothing is lost, `tests/hostile/doors/test_encryption.py` shows; that it erases, and tries
again what failed in passing, `test_erasure.py`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest

from cli.runtime.environment import child_environment
from jobs.full_index.replay.report import ReplayReport, decode_report
from jobs.full_index.truth.live_log import wait_for_extraction
from tests.hostile.doors.sockets import SOCKETS_OF_A_REGION, Door, doors_of_family
from tests.rebuilt import rebuild
from tests.support.whole.damage import empty_shard
from tests.support.whole.full_index import digests
from tests.support.whole.pictures import write_pictures
from tests.support.whole.talking import added
from tests.system import System, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.drill]


def start_replay(system: System, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", "replay", *options],
        env=child_environment(system.settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def replayed(system: System, *options: str, code: int = 0) -> ReplayReport:
    """`vitrine replay` to its end, which must have that exit code."""
    client = start_replay(system, *options)
    output, errors = client.communicate(timeout=400)
    assert client.returncode == code, f"{output}\n{errors}"
    return decode_report((system.home / "replay" / "report.json").read_bytes())


def history(system: System, name: str, products: int, seed: int) -> list[dict[str, object]]:
    """Random adds, price changes, image changes, removals, re-listings and repeats, in a random producer's order."""
    chooser = random.Random(seed)
    urls = write_pictures(system.home / name, range(seed, seed + products))
    events: list[dict[str, object]] = []
    for number in range(products):
        product_id = f"{name}-{number}"
        own = [added(product_id, urls[number], title=f"Stück {number}", price=number, version=1)]
        for version in range(2, chooser.randrange(2, 7)):
            kind = chooser.choice(["price", "image", "removed", "listed", "stale"])
            update: dict[str, object] = {"type": "product_updated", "product_id": product_id, "version": version}
            if kind == "price":
                own.append({**update, "product": {"price": chooser.randrange(1000)}})
            elif kind == "image":
                own.append({**update, "images_added": [{"url": chooser.choice(urls)}]})
            elif kind == "removed":
                own.append({**update, "type": "product_removed"})
            elif kind == "listed":
                own.append({**update, "type": "product_added"})
            else:
                own.append({**update, "version": 0, "product": {"price": 1}})
        events += own + own[-1:]
    return events


def settled_digests(system: System) -> list[str]:
    """The shards' digests once every event and every vector is in them; pictures that were given up stay out."""
    system.wait_settled(pending=20)
    assert wait_for_extraction(system.settings.kafka, 120)
    return eventually(
        lambda: expected if (expected := rebuild(system.settings).digests) == digests(system) else None,
        "the shards are as the log says",
        poll_s=0.5,
    )


def all_doors(system: System, client: int) -> list[Door]:
    """Of the client's processes, once those of its Flink are there; none before."""
    doors = doors_of_family(str(system.home), client)
    return doors if sum(door.program == "java" for door in doors) >= SOCKETS_OF_A_REGION else []


def test_emptied_shard_is_healed_by_a_replay_that_was_killed_and_run_again(system: System) -> None:
    system.produce(*history(system, "replay-heal", 12, 9100))
    whole = settled_digests(system)
    empty_shard(system, 0)
    assert digests(system)[0] != whole[0]

    killed = start_replay(system)
    runs = system.home / "replay"
    eventually(lambda: list(runs.glob("run-*/results-*")), "a job of the replay runs")
    doors = eventually(lambda: all_doors(system, killed.pid), "the replay's Flink and Python worker listen", poll_s=0.2)
    assert not [door for door in doors if not door.is_loopback], "a batch job's Flink can be reached from elsewhere"
    assert killed.poll() is None
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()

    report = replayed(system, "--from-log")
    assert report.base == "empty"
    assert [shard.verdict for shard in report.shards] == ["different", "equal"]
    assert report.healed_products > 0
    assert digests(system) == whole == [shard.truth for shard in report.shards]
    assert [path.name for path in (system.home / "replay").glob("run-*")] == []
