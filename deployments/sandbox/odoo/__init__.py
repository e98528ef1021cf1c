"""A simulated Odoo 16 to 19: one database of several companies, spoken to as Odoo is."""
