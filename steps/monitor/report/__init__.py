"""What people and CloudWatch get to see."""
