"""Trains XGBoost with the built-in algorithm's hyperparameters and files."""
