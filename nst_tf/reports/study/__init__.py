"""Studies: runs that repeat settings over seeds and over pairs of content and style, and their statistics."""
