"""One file per revision, each with its way up and its way down."""
