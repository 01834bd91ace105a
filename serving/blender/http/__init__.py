"""HTTP: connections, keys, limits, routes. What is answered comes from the folder above."""
