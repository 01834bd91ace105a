"""Rows of docs/benchmarks.md, made of results; `benchmarks.report` puts them together."""
