"""The report: everything known of a model as one page for a person."""
