"""How things are shown: tables as text and HTML, figures in one style, cells of a notebook."""
