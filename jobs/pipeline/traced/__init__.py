"""A stage whose traced records become spans; begin at `stage.py`. Used where a setting names a collector alone.

Knows no stage but by its contract, and no Flink.
"""
