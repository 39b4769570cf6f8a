"""The console: pages for people, made on the server, of the same functions as the API."""
