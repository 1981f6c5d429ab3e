"""What the reward cannot see: `(problems, outputs) -> {name: number}`. Nothing here is trained on."""
