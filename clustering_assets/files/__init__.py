"""Where pictures and music lie: places whose files are listed, examined and opened by name, whatever they are."""
