"""The nightly replay: compares with the log, heals what differs. Imports nothing of `build`."""
