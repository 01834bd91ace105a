"""Pictures that tests draw, base features of some, and files to vectors in one go."""
