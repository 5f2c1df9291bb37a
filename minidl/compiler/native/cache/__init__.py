"""Machine code on disk: made once, trusted only where nobody else can write, found by what it is made from."""
