"""Measurements of the whole product, and the class day held in real browsers."""
