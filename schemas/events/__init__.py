"""What a shop says and what becomes of it: the event and its parts, the record kept of a product, requests for
extraction, dead letters."""
