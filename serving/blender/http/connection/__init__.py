"""Connections below HTTP's routes: uvicorn with limits, TLS, and clients that leave."""
