"""An object store for tests, and what they keep in it."""
