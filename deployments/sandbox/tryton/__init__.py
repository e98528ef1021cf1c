"""A Tryton with its sale point, as far as tills and their articles go: JSON-RPC, its own books, its own temper."""
