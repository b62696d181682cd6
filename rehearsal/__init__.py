"""The whole life of a model on one machine: the accounts, the stages, the view."""
