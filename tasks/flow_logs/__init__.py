"""VPC flow logs: where they are, what is in them, and the questions that the playbook puts to them."""
