"""The changes' stage: a shop's database as Debezium tells it, in product events; begin at `stage.py`.

Builds on `schemas/database`; may not import `catalogue`, `extraction` or `flink`.
"""
