"""The pure core, the two stages, and the shape that every stage has. Knows no job."""
