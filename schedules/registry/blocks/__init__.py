"""Blocks: what is taken out of the timetable by hand, as a page."""
