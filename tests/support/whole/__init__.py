"""A whole system as its users handle it: told, asked, put under traffic, built for, harmed."""
