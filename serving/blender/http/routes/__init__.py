"""The routes by what is done: searched, clicked, reported, shown as a file. `direct` is how the fast ones are read."""
