"""Category: which of a shop's own categories a photo shows, learned from its pictures' base features.

Begin at `training.py`; what serves needs `head.py` alone. Builds on numpy, and on SciPy where it learns.
"""
