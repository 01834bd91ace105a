"""Bytes of an image from a URL that a stranger wrote, within limits."""
