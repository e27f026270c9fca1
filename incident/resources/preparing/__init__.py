"""What an account has before anything happens: what watches it, what warns, what closes by itself."""
