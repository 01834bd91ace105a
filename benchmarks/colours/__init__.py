"""Colours by name: the table by which features tell them is made here (`table.py`), and measured on `apparel`."""
