"""Online: the HTTP API, the store and the command line around them."""
