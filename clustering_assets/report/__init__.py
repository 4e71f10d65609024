"""What the gallery, plots and reports are: everything made for people to look at."""
