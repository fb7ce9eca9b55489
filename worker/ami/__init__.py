"""The Asterisk Manager Interface: `message` (bytes in), `actions` (bytes out), `pending` (whose a reply is),
`connection` (one socket, one session), `client` (the link: a connection, and when it is lost another one)."""
