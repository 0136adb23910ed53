"""Rosters: target groups, enrolments per bridge point, nomination sheets, rules of the class."""
