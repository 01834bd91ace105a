"""How learned parts of a generation are kept as bytes, whatever they have learned. Knows none of them."""
