"""The weekly full index, cut out of the running stream. Imports nothing of `replay`."""
