"""The stages over stores of their own, without Flink."""
