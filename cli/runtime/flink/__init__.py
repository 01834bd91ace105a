"""Flink as we run it (one job manager, one task manager), and the clients that give it jobs."""
