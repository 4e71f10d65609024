"""One module for each format of pictures: what it looks like, how it is decoded and what is wrong with it."""
