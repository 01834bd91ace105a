"""What a searcher measures of itself: how much of the best it finds, and how long it shows what is gone."""
