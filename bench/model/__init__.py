"""How fast infer scores, beside its peers."""
