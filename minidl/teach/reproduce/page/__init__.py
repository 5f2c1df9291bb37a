"""The pieces of the report's page: its order, words, equations, a row; and its style and script."""
