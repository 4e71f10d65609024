"""How work is spread: tasks and their units, and the engines that do them."""
