"""Imports from a shop's own PostgreSQL; begin at `importing.py`. The only home of psycopg."""
