"""A rule as text, LaTeX or MathML, read off its own equation."""
