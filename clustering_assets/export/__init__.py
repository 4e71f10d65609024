"""Results for other programs: clusters as folders, as a table, as an editable timeline, as a small moving picture."""
