"""Files and tables that others made, as checked batches of columns."""
