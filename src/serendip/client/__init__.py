"""The API from another program; needs nothing of the server."""
