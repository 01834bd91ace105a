"""Where full indexes lie, behind one port: a folder, local or shared, or an object store.

`port` is what readers and writers of generations ask of either; `folder` and
`store` are the two; `copies` keeps on this machine's disk what a searcher maps.
Nobody but `generations/folder.py` needs more of it than `files_at`.
"""
