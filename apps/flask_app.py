"""The article's Flask application (see `gilbench compare --scenario article`).

    GET /json    {"message": "Hello World"}
    GET /io      {"status": "done"} after a sleep of 10 ms

    gilbench compare --python VENV... --app apps/flask_app.py:app
"""

import time

from flask import Flask

app = Flask(__name__)


@app.get("/json")
def json_data():
    return {"message": "Hello World"}


@app.get("/io")
def io():
    time.sleep(0.01)
    return {"status": "done"}
