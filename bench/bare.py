"""A route that does nothing: what Flask and gunicorn cost before there is any work."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def constant() -> dict[str, str]:
    """Answer the same every time."""
    return {"state": "COMPLETED"}
