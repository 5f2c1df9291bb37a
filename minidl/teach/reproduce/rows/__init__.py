"""The rows of the report: each module is a part of the notes, made again."""
