"""The names of everything that a store keeps on its server; drawn in the package's docstring."""

from __future__ import annotations


def store_key(name: str, space: str) -> bytes:
    return f"{{{name}:{space}}}:store".encode()


class PartitionKeys:
    """The keys of one partition. `space`: which of a system's stores."""

    def __init__(self, name: str, space: str, partition: int) -> None:
        tag = f"{{{name}:{space}:{partition:04d}}}".encode()
        self.text = f"{name}:{space}:{partition:04d}"
        """To be shown."""
        self.token = tag + b":token"
        self.holder = tag + b":holder"
        self.copies = tag + b":copies"
        self.records = tag + b"/"
        """What every record's key begins with; nothing else does."""
        self._tag = tag

    def record(self, key: bytes) -> bytes:
        return self.records + key

    def alive(self, view: bytes) -> bytes:
        """There while the reader of that view is."""
        return self._tag + b":alive:" + view

    def changed(self, view: bytes) -> bytes:
        return self._tag + b":changed:" + view
