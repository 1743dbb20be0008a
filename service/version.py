"""The version of the service, for the documents and metrics that tell it."""

VERSION = "0.1.0"
