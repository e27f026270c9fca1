"""Slack as a door: its listeners, commands and dialogs, and what is sent to it."""
