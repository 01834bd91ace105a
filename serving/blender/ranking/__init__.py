"""From what was found by look and by words to a page: fused, weighed, made diverse, continued. Pure, no asking in it.

Builds on `schemas.query` and `schemas.found`; begin with `ranking.py`.
"""
