"""Who may do what: IAM's policies, evaluated here before anything is done."""
