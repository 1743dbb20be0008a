"""The HTTP calls, one noun per file. A handler parses, calls one function and answers."""
