"""Small networks that the recipes train, with their schedules and tokenizers. Policies are made of them."""
