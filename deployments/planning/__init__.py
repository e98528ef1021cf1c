"""Plans and surveys as people read them: a table in the terminal, a page for a pull request or for a retailer.

What surprises here: a page is one file. It loads nothing from anywhere, prints well, and keeps to light or dark as the
reader's system does.
"""
