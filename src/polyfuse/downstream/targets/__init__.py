"""Salient targets with a mask: how well each row's pictures show them."""
