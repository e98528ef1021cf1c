"""The console of business admins: what each channel does, switches that ask first, and the audit of who turned them."""
