"""One module for each door that is not the webhook."""
