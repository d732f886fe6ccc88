"""What patients write: whose words they are, what they mean, what follows."""
