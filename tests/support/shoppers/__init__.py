"""What shoppers leave and mean: clicks, a search log, titles with their looks."""
