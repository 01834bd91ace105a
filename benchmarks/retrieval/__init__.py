"""Does a photo find the right thing? Run `python -m benchmarks.retrieval`; begin at `__main__.py`."""
