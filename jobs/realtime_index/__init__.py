"""The streaming job: wiring and entry. Importing this package, `kept_plan` or `preparation` loads no Flink."""

JOB_NAME = "vitrine-realtime-index"
