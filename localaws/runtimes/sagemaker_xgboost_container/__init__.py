"""The package of SageMaker's XGBoost images that inference scripts import, as far as this stand-in has it."""
