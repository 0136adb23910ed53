"""Calendars: feeds and invitations out, other bodies' calendars in as busy time."""
