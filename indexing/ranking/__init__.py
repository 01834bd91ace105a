"""Learning to rank: an order of products learned from what shoppers clicked.

Begin at `training.py`; what serves needs `features.py` and `model.py` alone, which load numpy and no LightGBM. Knows
neither shards nor the log: it is given what was shown, where, and what became of it.
"""
