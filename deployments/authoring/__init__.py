"""What an author of settings and mappings asks before anything runs: is it right, do its tests pass, what does it do?

What surprises here: nothing is stored, no registry is opened for writing, no Prefect is imported; only `trying` asks a
channel, and only to read.
"""


class CannotDo(Exception):
    """What a person named is not there, or is not what it is taken for; the message says what is."""
