"""What an encoder tells of a picture: its record in store and stream, its bytes, and the ids that say what it is of."""
