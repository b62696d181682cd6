"""The two SageMaker pipeline definitions, and what starts and follows them."""
