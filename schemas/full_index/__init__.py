"""What a full index says of itself on disk: its manifest, its shards' files, and how its publication ended."""
