"""The scripted day and its judge."""
