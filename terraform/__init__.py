"""The three accounts as Terraform makes them, and the commands around it: `python -m terraform --help`."""
