"""The only writer of a searcher: takes up an index, follows deltas, trains lists, writes snapshots.

Begin with `feed`.
"""
