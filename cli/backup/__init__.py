"""Backups of a whole home, for the loss of a machine with its Kafka, and the way back.

A backup is a folder, or a prefix of an object store, sealed by its manifest as
a full index is. `making` makes one, `restoring` puts it into an empty home;
`contents` says what is in it and where.
"""
