"""What an attack took is given back to the system, in a process that is started as the blender is."""

from __future__ import annotations

import os
import subprocess
import sys

from vision.environment import MALLOC_ENV

_PROGRAM = """
import asyncio, threading
import psutil
from serving.blender.embedding.memory import FreedMemory, one_arena

one_arena()

def rss():
    return psutil.Process().memory_info().rss

def take():
    # As Pillow does, on a thread: blocks of 16 MB, of which glibc keeps what is freed.
    blocks = [bytearray(16_000_000) for _ in range(25)]
    for block in blocks:
        block[::4096] = bytes(len(block[::4096]))

async def main():
    before = rss()
    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    taken = rss() - before
    memory = FreedMemory(every_s=0.05)
    memory.note(400_000_000)
    while not memory.trims:
        await asyncio.sleep(0.01)
    print(taken, rss() - before)

asyncio.run(main())
"""


def test_freed_memory_returns_to_the_system() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env={**os.environ, **MALLOC_ENV}, capture_output=True, text=True, check=True
    )
    kept, left = (int(number) for number in ended.stdout.split())
    assert kept > 300_000_000 > 50_000_000 > left, f"{kept} bytes were kept, {left} still are"
