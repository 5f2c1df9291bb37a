"""What the operating system offers: terminals, files that are whole or not there, extras that may be missing."""
