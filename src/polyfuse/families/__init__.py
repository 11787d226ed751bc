"""One wing a family, the classic methods, and `spec`, the face that every model shows."""
