"""What the benchmarks put on a system: events, queries, image hosts, each a process of its own."""
