"""Do words find products by their look? Run `python -m benchmarks.meaning`; begin at `__main__.py`."""
