"""The Asterisk Manager Interface: `message` (bytes in), `actions` (bytes out), `pending` (which action a reply is for),
`connection` (one socket, one session), `client` (the link: a connection, and another one when it is lost)."""
