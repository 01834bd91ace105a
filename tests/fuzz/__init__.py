"""Fuzzing of everything that reads bytes from outside: `make fuzz SECONDS=300`.

`targets.py` says what is fuzzed and which errors are documented; `one.py` runs
libFuzzer on one of them, guided by coverage (atheris). An input that broke the
contract is kept below tests/hostile/corpus, where a test replays it from then on.
"""
