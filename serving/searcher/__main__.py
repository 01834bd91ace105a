import os
import sys

# Before OpenMP and BLAS are loaded. A scan takes tenths of a millisecond: handing halves of it to other threads and
# waiting for them costs several times that (measured on 2 cores, batches of four queries: 0.9 instead of 2.8 ms of
# processor time a batch). Shards and batches are what runs side by side; training says its own number of threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from serving.searcher.main import main

sys.exit(main())
