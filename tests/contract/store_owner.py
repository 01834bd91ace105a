"""A process that owns a store partition, for test_store_processes.py.

    python -m tests.contract.store_owner FOLDER hold    opens partition 0, prints "ready", waits for end of input
    python -m tests.contract.store_owner FOLDER write   writes batches without end after those it finds, prints
                                                        each number once written

Batch n is entries `n/0` .. `n/9` and `last`, all with the value n.
"""

from __future__ import annotations

import sys
from pathlib import Path

from feature_store.port import WritePartition
from feature_store.rocks.store import RocksStore

ENTRIES = 10


def main() -> None:
    writer = RocksStore(Path(sys.argv[1]), 1, write_buffer_mb=1).writer(0)
    print("ready", flush=True)
    if sys.argv[2] == "hold":
        sys.stdin.read()
        writer.close()
        return
    write_batches(writer)


def write_batches(writer: WritePartition) -> None:
    """Without end, after the last one found; prints each number once written."""
    last = writer.get_many([b"last"])[0]
    number = 0 if last is None else int(last) + 1
    while True:
        value = str(number).encode().zfill(500)
        writer.write([(f"{number:08d}/{i}".encode(), value) for i in range(ENTRIES)] + [(b"last", value)])
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main()
