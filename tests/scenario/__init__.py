"""Histories over real systems: whole houses, whole days, judged by the systems' own books."""
