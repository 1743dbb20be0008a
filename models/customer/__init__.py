"""What is known of one customer: the id, and the conventions of the shop's data."""
