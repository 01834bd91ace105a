"""Starts and stops the whole system on one machine: Kafka, Flink, the streaming job, the services."""
