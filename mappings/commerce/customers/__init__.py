"""Customers: which of them are one person, what survives of what is said of them, what they allowed and bought."""
