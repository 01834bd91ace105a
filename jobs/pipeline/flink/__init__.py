"""The one place that speaks to PyFlink: a stage into a job, endless or bounded, on Kafka."""
