"""What several suites stand on: small worlds, pictures, servers that behave badly. Holds no test."""
