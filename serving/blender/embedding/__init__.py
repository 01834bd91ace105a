"""A shopper's photo to a vector, off the event loop. Knows no HTTP."""
