"""AWS accounts on one machine, with a SageMaker that executes what it is given."""
