"""Parts of a product event, each with what it may be; `schemas/product_event.py` puts them together."""
