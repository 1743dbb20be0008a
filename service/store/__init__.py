"""The store: every answer kept as history, and one current row per customer."""
