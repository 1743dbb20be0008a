"""What can go wrong in training, said in sentences for the person at the command line."""


class UnreadableSource(Exception):
    """Purchase data cannot be read as it is; the message says what is wrong, where, and what to do."""


class TooFewCustomers(Exception):
    """What cleaning left is too little to train on; the message says how much there is and how much is needed."""


class MissingColumns(UnreadableSource):
    """A table has no columns that could be those of purchases."""
