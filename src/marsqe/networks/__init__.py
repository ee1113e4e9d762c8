"""What is learned: the networks, their equations, their presets and what they cost."""
