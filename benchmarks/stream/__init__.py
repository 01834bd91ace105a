"""Benchmarks of the stream: from an event to a changed index, its stages and stores, a start, a recovery, hours."""
