"""The journeys: in what order things happen. No mathematics, no SQL."""
