"""The page in a real browser, and the shop that it talks to."""
