"""What benchmarks share: the system that is measured, slopes with their errors, results in the tree."""
