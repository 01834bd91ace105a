"""What a shop sends and asks: products in, out and found again."""
