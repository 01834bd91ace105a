"""Files, folders and locks that keep their word, also when the machine crashes. Imports nothing of ours."""
