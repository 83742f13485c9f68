"""How good a model is: figures with their uncertainty, checks while it trains, pages of them."""
