"""Doubles among many vectors: pairs that are nearly equal, and groups of them. Pure; begin with `groups.py`.

Knows nothing of shards; `cli` lists with it what searchers' snapshots hold.
"""
