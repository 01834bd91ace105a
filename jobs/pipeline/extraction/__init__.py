"""From an image that nobody has a vector of to its feature record. Begin at `stage.py`."""
