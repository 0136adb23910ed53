"""Lesson plans: material, review, the gate before going live; and the plan of the year."""
