"""The work of the command line, beside cli.py, which only reads it."""
