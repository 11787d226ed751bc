"""What is drawn: canvas, sheets of panels, and the maps on them."""
