"""Codecs: compression as the paper does it, and the facts that a compressed file carries."""
