"""A product among others, on a table or over a photograph: is it found? Run `python -m benchmarks.scenes`."""
