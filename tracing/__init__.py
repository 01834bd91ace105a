"""Spans of what a process does for a traced request or record, sent to a collector; off unless a setting names one.

Builds on `schemas` alone; jobs, serving and the command line may import it. Begin at `tracer.py`. OpenTelemetry is
loaded in `otlp.py` alone, and where something is traced alone: `opening.py` decides that. An extra, `vitrine[traces]`.
"""
