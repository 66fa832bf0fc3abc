"""Every URL of the service; a route states what it takes and gives, and calls the store once."""

DESCRIPTION = (
    "Keeps the sessions, agents, messages and multi-agent state of Strands agents. Documents come back exactly as they "
    "were sent: value, type and key order. Every write names what it writes, so it can be sent again."
)
