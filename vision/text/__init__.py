"""Words to vectors: what a text means, as a direction in a space of its own. Begin at `encoder.py`.

Loads no PyTorch. `indexing.meaning` maps these vectors into the space of pictures.
"""
