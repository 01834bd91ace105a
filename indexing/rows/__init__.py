"""The forward index: rows, their texts, where they are, which are valid, and the digest over them.

Knows no lists.
"""
