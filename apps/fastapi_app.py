"""The article's FastAPI application (see `gilbench compare --scenario article`).

    GET /json    {"message": "Hello World"}, a plain function: FastAPI calls it in a thread
    GET /io      {"status": "done"} after an awaited sleep of 10 ms

    gilbench compare --python VENV... --app apps/fastapi_app.py:app
"""

import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/json")
def json_data():
    return {"message": "Hello World"}


@app.get("/io")
async def io():
    await asyncio.sleep(0.01)
    return {"status": "done"}
