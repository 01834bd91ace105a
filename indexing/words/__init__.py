"""Words: keyword search over the products of one shard, ranked by BM25, in living memory. Begin at `index.py`.

Builds on numpy and on Snowball's stems; knows neither rows nor lists nor deltas.
"""
