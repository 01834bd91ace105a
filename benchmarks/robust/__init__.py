"""Is it still found when the photo is a bad one? Run `python -m benchmarks.robust`; begin at `__main__.py`."""
