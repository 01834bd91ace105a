"""The first step of a build over base features: by which tuning its vectors are made.

Begin at `choosing.py`. Pictures of the catalogue are fetched and looked at in a child process (`child.py`): they are
strangers' bytes, as everywhere.
"""
