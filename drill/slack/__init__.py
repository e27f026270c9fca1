"""The practice Slack: a Web API, interactivity and a page, as strict as the real ones."""
