"""What was kept: catalogue, timeline, chapters, playlists, watch progress."""
