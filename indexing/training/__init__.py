"""Centroids, nearest centroids, and the nprobe that reaches a recall. Builds on `lists`."""
