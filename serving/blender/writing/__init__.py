"""What the blender writes to Kafka: the search log, clicks, erasures."""
