"""The cache of machine code: found by a hash, trusted only where nobody else can write."""
