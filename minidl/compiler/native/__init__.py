"""A compiled program carried out by machine code: many steps in one call, with no Python between them."""
