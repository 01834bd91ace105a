"""From what a question asks for to what shards found: examples added up, words mapped, many shoppers in one call."""
