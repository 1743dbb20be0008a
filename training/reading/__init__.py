"""Reading: whatever a shop exports becomes one table of lines."""
