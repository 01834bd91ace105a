"""The streaming job: wiring and entry. Importing this package, `jobs`, `kept_plan` or `preparation` loads no Flink."""
