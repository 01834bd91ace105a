"""Full indexes as a folder of generations: alias, checks, publication.

Loads neither faiss nor Flink, so that every process may ask which index
serves; `jobs`, `serving` and `cli` build on it.
"""
