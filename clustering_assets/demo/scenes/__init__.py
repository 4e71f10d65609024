"""The themes of the sample pictures, one module for each; `SCENES` of `clustering_assets.demo.pictures` lists them."""
