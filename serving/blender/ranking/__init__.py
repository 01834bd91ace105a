"""From what was found by look and by words to a page: fused, weighed, made diverse, continued. Pure, no asking in it.

Builds on `schemas.query`, `schemas.found` and `indexing.ranking`; begin with `ranking.py`. `models.py` alone reads
files: the orders that full indexes learned.
"""
