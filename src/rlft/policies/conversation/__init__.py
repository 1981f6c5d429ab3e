"""Language policies that speak several turns, with something that answers between them."""
