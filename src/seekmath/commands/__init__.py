"""The commands that are written by hand, by area; `cli.py` imports one when it is called."""
