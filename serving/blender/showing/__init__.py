"""From images found to what a browser is shown: products with pictures and attributes, how fresh, where held."""
