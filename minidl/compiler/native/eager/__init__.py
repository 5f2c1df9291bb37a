"""Machine code for steps that Python makes one by one: minidl/machine_code.py asks for it by name.

Everything here gives the bits of the NumPy calls that it takes the place of.
"""

from .operations import operations as operations
from .update import update_loop as update_loop
from .zeros import products_without_zeros as products_without_zeros
