"""A living shard: one writer, readers without locks. Builds on `rows`, `lists` and `training`."""
