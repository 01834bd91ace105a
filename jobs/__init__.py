"""Code that runs inside Flink, or may. `pipeline` is what both jobs build on; the one home of pyflink."""
