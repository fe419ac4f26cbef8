"""Training of the eye network: rendered eyes, eyes of photographs with labels of teachers."""
