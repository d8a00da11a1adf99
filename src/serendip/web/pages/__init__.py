"""The pages: server-made HTML, readable without script, livelier with it."""
