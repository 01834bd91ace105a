"""Spans of what serving does: requests over HTTP and gRPC, and records that a searcher's feed applies.

Builds on `tracing`; nothing here is called where nothing is traced. Loads neither FastAPI nor faiss.
"""
