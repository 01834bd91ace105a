"""A shard's files from whole images, without a living shard. Builds on everything else here."""
