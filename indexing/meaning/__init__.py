"""Meaning: from what words say to what it looks like, learned from a shop's own titles and pictures.

Begin at `training.py`; what serves needs `map.py` alone. Builds on numpy; knows neither
shards nor the encoders whose vectors it is given.
"""
