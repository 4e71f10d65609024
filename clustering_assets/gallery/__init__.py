"""One self-contained page that shows what came of the pictures: the map, each cluster with its video, and why."""
