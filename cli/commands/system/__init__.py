"""The system and its parts: started, stopped, looked at, sized, opened to keys."""
