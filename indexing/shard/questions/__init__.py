"""Questions that are more than the nearest vectors: filters, words, lists in an order, counts, names.

Of the reading side: no locks, any thread. Begin with `answering`.
"""
