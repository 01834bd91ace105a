"""Small indexes: batches for a shard, what a shard must say as a dict, a shop to publish into."""
