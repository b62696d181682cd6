"""The SageMaker pipeline definitions, and what starts and follows them."""
