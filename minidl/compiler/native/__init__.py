"""A program executed by machine code: many steps in one call, with no Python between them."""
