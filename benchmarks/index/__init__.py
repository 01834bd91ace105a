"""Benchmarks of one index: a shard beside faiss, delisted, churned, grown, and a full build."""
