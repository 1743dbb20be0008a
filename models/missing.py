"""How exports write that a value is missing."""

# At every entrance of files. Not `NA`: that is Namibia.
MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "Null", "None", "NaT", "<NA>", "#N/A")
# In the columns of a customer table, which hold no codes.
NOT_KNOWN = ("N/A", "n/a", "-", "--")
