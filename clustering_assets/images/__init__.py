"""Pictures in: find, load, measure and list every file of a folder."""
