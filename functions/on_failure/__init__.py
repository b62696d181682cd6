"""What happens when an execution fails: retraining if it was drift and the gate allows it, and a message."""
