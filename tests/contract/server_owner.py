"""A process that owns a partition of a store on a server, for test_store_server.py.

python -m tests.contract.server_owner PORT hold    opens partition 0, prints "ready", and writes once more for
                                                   every line of input: prints "written", or the error's class
python -m tests.contract.server_owner PORT write   writes batches as `store_owner` does, until it fails, and
                                                   prints the error's class
"""

from __future__ import annotations

import sys

from feature_store.server.store import ServerStore
from schemas.access.store import StoreServer
from schemas.errors import VitrineError
from tests.contract.store_owner import write_batches

SPACE = "owned"


def main() -> None:
    writer = ServerStore(StoreServer("127.0.0.1", int(sys.argv[1])), SPACE, 1).writer(0)
    print("ready", flush=True)
    if sys.argv[2] == "hold":
        for line in sys.stdin:
            try:
                writer.write([(b"by", line.encode())])
                print("written", flush=True)
            except VitrineError as error:
                print(type(error).__name__, flush=True)
        return
    try:
        write_batches(writer)
    except VitrineError as error:
        print(type(error).__name__, flush=True)


if __name__ == "__main__":
    main()
