"""The full index and the stores: built, published, replayed, brought back."""
