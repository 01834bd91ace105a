"""The store port on RocksDB: a folder per partition, one writing process each, any number of readers.

    <store>/store.json          number of partitions; a store cannot be opened with another
    <store>/0003/db/            the RocksDB database
    <store>/0003/owner.json     the process that has it open for writing (`ownership`)
    <store>/0003/requests/      asks for a consistent copy (`checkpoint_requests`)

This is the only package that knows rocksdict. Facts about rocksdict 0.3.29 that
it stands on, each measured or read in its source:

- `write`, `try_catch_up_with_primary` and `Checkpoint.create_checkpoint` hold
  the GIL, `flush` and batched gets do not. None of them waits for the GIL with
  a RocksDB mutex held, so a checkpoint from another thread cannot deadlock
  with a writer (189 checkpoints beside 79,000 batches: every copy consistent).
  A checkpoint writes the memtable out first, which would stop the owner for up
  to 140 ms; flushing before it, without the GIL, leaves hard links to make.
- `Rdict.items()` ends silently at a damaged block; `Rdict.iter()` has a status to ask.
- A live iterator keeps the database open, and locked, after `close`: scans
  are closed with their partition.
- A secondary that catches up while its owner flushes can miss what was flushed
  (`RocksReader._follow`): 50 of 7,830 times beside an owner that flushed every
  20 batches, none of 10,440 since it looks again.
- A secondary must keep all files open (`max_open_files` -1, the default): the
  owner's compactions delete files under it.
"""
