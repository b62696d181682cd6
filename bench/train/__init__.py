"""How long the train step takes, and how good its model is, beside its peers."""
