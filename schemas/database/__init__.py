"""A shop's own database: which columns are which fields, and Debezium's change events; begin at `mapping.py`.

Both doors build on it: `vitrine import --from` (`cli/importers/database`) and the changes' stage
(`jobs/pipeline/changes`). Knows neither PostgreSQL nor Kafka.
"""
