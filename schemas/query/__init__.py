"""What a query may ask for: fields that products are filtered and counted by, filters, and their forms."""
