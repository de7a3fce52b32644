"""What the two shops have in common: a catalogue in a real sqlite3 file and a cart in memory.

shop_flask.py renders it as HTML with Jinja2, shop_fastapi.py as JSON with pydantic. The content is
the same on every machine and in every run: 600 products of 12 categories with 3 reviews each.
"""

import os
import random
import sqlite3
import tempfile
import threading
from pathlib import Path

CATEGORIES = (
    "Books", "Music", "Garden", "Kitchen", "Toys", "Sports",
    "Tools", "Office", "Camping", "Lighting", "Fabrics", "Bicycles",
)
PRODUCTS = 600
REVIEWS = 3
PER_PAGE = 20

_SCHEMA = """
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, category TEXT, cents INTEGER,
                      stock INTEGER);
CREATE TABLE review (id INTEGER PRIMARY KEY, product INTEGER REFERENCES product, stars INTEGER,
                     words TEXT);
CREATE INDEX product_category ON product (category, cents);
CREATE INDEX review_product ON review (product);
"""

_PAGE = """
SELECT product.id, name, category, cents, stock, avg(stars) AS stars, count(review.id) AS reviews
FROM product LEFT JOIN review ON review.product = product.id
WHERE category = ? GROUP BY product.id ORDER BY cents, product.id LIMIT ? OFFSET ?
"""


def _fill(database):
    pick = random.Random(314)
    adjectives = ("Plain", "Bright", "Sturdy", "Quiet", "Folding", "Little", "Blue", "Second")
    nouns = ("Atlas", "Lamp", "Kettle", "Rope", "Ladder", "Drum", "Basket", "Almanac", "Chain")
    words = ("does", "what", "it", "says", "and", "<b>more</b>", "than", "I", "hoped", "& then")
    database.executescript(_SCHEMA)
    for number in range(1, PRODUCTS + 1):
        name = f"{pick.choice(adjectives)} {pick.choice(nouns)} No. {number}"
        database.execute(
            "INSERT INTO product VALUES (?, ?, ?, ?, ?)",
            (number, name, CATEGORIES[number % len(CATEGORIES)], pick.randrange(99, 25000),
             pick.randrange(0, 40)))
        for _ in range(REVIEWS):
            database.execute(
                "INSERT INTO review (product, stars, words) VALUES (?, ?, ?)",
                (number, pick.randrange(1, 6), " ".join(pick.choices(words, k=12))))
    database.commit()


def _database():
    """The file, made once for each user: under its name it is always complete."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gilbench"
    path = cache / "shop-1.sqlite3"
    if path.exists():
        return path
    cache.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=cache, prefix="shop-")
    os.close(handle)
    database = sqlite3.connect(part)
    try:
        _fill(database)
    finally:
        database.close()
    os.replace(part, path)  # several processes may be here at once: the last one wins, all agree
    return path


_path = _database()
_threads = threading.local()


def connection():
    """This thread's connection: sqlite3 objects aren't shared, the file is."""
    try:
        return _threads.connection
    except AttributeError:
        made = sqlite3.connect(f"{_path.as_uri()}?mode=ro", uri=True)
        made.row_factory = sqlite3.Row
        _threads.connection = made
        return made


class Catalogue:
    """What a handler gets injected. It asks for the connection when it is used: FastAPI may make it
    in another thread than the handler's."""

    def page(self, category, page):
        rows = connection().execute(_PAGE, (category, PER_PAGE, (page - 1) * PER_PAGE))
        return [dict(row) for row in rows]

    def product(self, number):
        row = connection().execute("SELECT * FROM product WHERE id = ?", (number,)).fetchone()
        if row is None:
            return None
        reviews = connection().execute(
            "SELECT stars, words FROM review WHERE product = ? ORDER BY id", (number,))
        return dict(row) | {"reviews": [dict(review) for review in reviews]}


class Cart:
    """Shared by all threads, so every change happens under a lock."""

    def __init__(self):
        self._lock = threading.Lock()
        self._quantities = {}
        self._added = 0

    def add(self, number):
        with self._lock:
            self._quantities[number] = self._quantities.get(number, 0) + 1
            self._added += 1

    def summary(self):
        with self._lock:
            return {"added": self._added, "products": len(self._quantities),
                    "consistent": sum(self._quantities.values()) == self._added}


cart = Cart()
