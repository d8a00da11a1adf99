"""Flows that run by themselves: the queue's workers, the timetable, and what each kind of job does."""
