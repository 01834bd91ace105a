"""Inverted lists that grow while faiss scans them, by what they hold. Knows neither rows nor deltas."""
