"""What runs a language model: our own code over its weights (`trunk` and what it uses), or `plain`."""
