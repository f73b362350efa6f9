"""What slixmpp is driven through, one file for each part of the server."""
