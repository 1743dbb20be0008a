"""The forms in which a batch is sent and answered: how bytes become customers, and answers become bytes."""
