"""The catalogue's stage of the pipeline; begin at `stage.py`.

Builds on the pure core beside it; may not import `extraction` or `flink`.
"""
