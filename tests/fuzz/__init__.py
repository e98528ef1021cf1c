"""Fuzzing of the mapping language: ``make fuzz``, and a short, fixed part of it among the tests."""
