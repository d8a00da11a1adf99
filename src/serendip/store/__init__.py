"""Rows and artifacts: everything that is kept."""
