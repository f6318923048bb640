"""Many trainings: studies, tables of what they reached, and the search for better values."""
