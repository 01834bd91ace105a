"""The columns of one shard by which rows are filtered and facets counted, over the row numbers of `indexing.rows`.

Knows the fields and filters of `schemas.query`, but neither lists nor deltas. Begin with `columns.py`.
"""
