"""Making an encoder's weights: `lightbulb pretrain`. Supervised, self-supervised, or as a student."""
