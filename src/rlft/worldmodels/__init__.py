"""Models of how a world goes on, learned from what was seen of it, and learning inside them. Not the world itself."""
