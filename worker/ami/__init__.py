"""The Asterisk Manager Interface: `message` (bytes in), `actions` (bytes out), `client` (the link)."""
