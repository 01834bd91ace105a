"""Benchmarks of what is asked beyond the nearest vectors: filters, words, doubles, orders, printed words."""
