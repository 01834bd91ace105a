"""Colours that a picture's base features tell, by name. Begin with `told.py`; `table.npy` is made by
`python -m benchmarks.colours --write`.
"""
