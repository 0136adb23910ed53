"""The timetable to plan with: days, weeks and months on a board."""
