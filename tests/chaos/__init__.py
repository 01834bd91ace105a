"""Chaos: a real system under random events and queries, whose processes are killed and stopped at random.

`make chaos KILLS=1000 SEED=1` runs it (`python -m tests.chaos`); `round.py` is
what happens again and again, `oracle.py` says which answers are right. It lies
among the tests because it judges, and stands on what they stand on
(`tests/system.py`, `tests/rebuilt.py`); its report is in the form of the
benchmarks' results.
"""
