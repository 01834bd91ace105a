"""Hosts that are network namespaces of this machine: links that go down, machines that die at once. Needs root."""
