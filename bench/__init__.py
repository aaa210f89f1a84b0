"""Measurements of zdd against its speed goals, on Azurite: `python -m bench`."""
