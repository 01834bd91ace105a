"""Look: which numbers of base features tell a shop's products apart, learned from its own pictures.

Begin at `training.py`; what serves needs `tuning.py` alone. Builds on numpy; is given base features
(`schemas/features/blocks.py`) and knows neither shards nor the network that they come from.
"""
