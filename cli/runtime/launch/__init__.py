"""How a process becomes a part: under supervisord (`python -m cli.runtime.launch`), or under another supervisor."""
