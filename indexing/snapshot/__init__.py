"""A shard as checksummed files, and what is read of them without loading them. Builds on `shard`."""
