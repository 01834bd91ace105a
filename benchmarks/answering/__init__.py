"""Benchmarks of the services that answer: queries over HTTP, what a swap, a hang and a death cost them, the tail."""
