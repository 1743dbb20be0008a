"""From sources to cleaned lines: what the data itself says of the shop's conventions, and what cleaning makes of it."""
