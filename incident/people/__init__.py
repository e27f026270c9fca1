"""What people are told and asked, by whom and when, until somebody answers."""
