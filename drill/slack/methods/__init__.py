"""The Web API's methods: a name, and a function from a call to an answer."""

from drill.slack.methods import channels, chat, conversations, pins, users, views  # noqa: F401  (each registers its methods)
from drill.slack.methods.registry import METHODS, Call, Method

__all__ = ["METHODS", "Call", "Method"]
