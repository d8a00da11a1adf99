"""Functions of arrays that nobody needs the rest of the project to understand; their literal twins are in the tests."""
