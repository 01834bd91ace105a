"""What passes on `index-deltas`: the format, and what of a record may be believed."""
