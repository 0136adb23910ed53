"""One whole class day, held in real browsers: `python -m bench.class_day --points 3`."""
