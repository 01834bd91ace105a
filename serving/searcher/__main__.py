import os
import sys

# Before OpenMP is loaded: faiss's threads would otherwise spin after each batch of queries, on cores that the other
# shards need (measured on 2 cores: a quarter of a query's processor time).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from serving.searcher.main import main

sys.exit(main())
