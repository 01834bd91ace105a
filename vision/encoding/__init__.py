"""Encoders: the networks by name, what is put beside them, and the way to run them that is the fastest here.

All of it but `projection` needs PyTorch, which takes seconds to load: `vision.kept` does without.
"""
