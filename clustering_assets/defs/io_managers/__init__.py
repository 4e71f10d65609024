"""IO managers: one for each shape that is stored. They own every path below the output folder."""
