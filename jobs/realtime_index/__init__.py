"""The streaming job: wiring and entry.

Importing this package, or of it `stream_jobs`, `kept_plan` or `preparation`, loads no Flink.
"""
