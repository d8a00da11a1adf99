"""The flows over HTTP: the API under ``/v1``, and the pages."""
