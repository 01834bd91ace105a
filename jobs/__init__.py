"""Code that runs inside Flink. `pipeline` is what both jobs build on; the one home of pyflink."""
