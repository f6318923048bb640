"""What DATA can be: folders, tables, tagged libraries, public data sets; its tracks, genres and groups."""
