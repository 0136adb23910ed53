"""Organisations, bridge points, equipment, courses, lectures, bookings, calendars."""
