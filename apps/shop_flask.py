"""A shop in Flask: a query on a real file, a Jinja2 template, shared state under a lock.

    GET  /shop?category=Books&page=1    a page of 20 products as HTML (what `realistic` measures)
    GET  /product/NUMBER                one product with its reviews as HTML, or 404
    POST /cart/NUMBER                   puts one into the cart: 201 with its summary, or 404
    GET  /cart                          the summary: {"added", "products", "consistent"}

    gilbench compare --scenario realistic
    gilbench compare --python VENV... --app apps/shop_flask.py:app --path /shop
"""

import os
import sys
from functools import wraps

from flask import Flask, abort, render_template, request
from jinja2 import DictLoader

# For servers that load this as apps.shop_flask.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import shop

BASE = """<!doctype html>
<html lang="en"><head><title>{% block title %}{% endblock %} - The Shop</title></head>
<body><nav><ul>{% for name in categories %}
<li><a href="/shop?category={{ name|urlencode }}"{% if name == category %} class="here"{% endif %}>
{{- name }}</a></li>{% endfor %}
</ul></nav>
<main>{% block main %}{% endblock %}</main></body></html>
"""

PAGE = """{% extends "base.html" %}
{% block title %}{{ category }}{% endblock %}
{% block main %}<h1>{{ category }}</h1>
<table>{% for product in products %}
<tr class="{{ loop.cycle('odd', 'even') }}">
<td><a href="/product/{{ product.id }}">{{ product.name }}</a></td>
<td>{{ product.cents|price }}</td>
<td>{{ '%.1f'|format(product.stars) }} ({{ product.reviews }})</td>
<td>{% if product.stock %}{{ product.stock }} in stock{% else %}sold out{% endif %}</td></tr>
{%- endfor %}</table>
<p>Page {{ page }}</p>{% endblock %}
"""

PRODUCT = """{% extends "base.html" %}
{% block title %}{{ product.name }}{% endblock %}
{% block main %}<h1>{{ product.name }}</h1><p>{{ product.cents|price }}</p>
<ul>{% for review in product.reviews %}<li>{{ '*' * review.stars }} {{ review.words }}</li>
{% endfor %}</ul>{% endblock %}
"""

app = Flask(__name__)
app.jinja_loader = DictLoader({"base.html": BASE, "page.html": PAGE, "product.html": PRODUCT})
app.jinja_env.filters["price"] = lambda cents: f"{cents // 100}.{cents % 100:02d} EUR"
app.jinja_env.globals["categories"] = shop.CATEGORIES


def with_catalogue(handler):
    """Flask's way to inject: a decorator that hands the handler what it depends on."""
    @wraps(handler)
    def call(**arguments):
        return handler(shop.Catalogue(), **arguments)
    return call


@app.get("/shop")
@with_catalogue
def page(catalogue):
    category = request.args.get("category", "Books")
    number = max(request.args.get("page", 1, type=int), 1)
    products = catalogue.page(category, number)
    return render_template("page.html", category=category, page=number, products=products)


@app.get("/product/<int:number>")
@with_catalogue
def product(catalogue, number):
    found = catalogue.product(number) or abort(404)
    return render_template("product.html", product=found, category=found["category"])


@app.post("/cart/<int:number>")
@with_catalogue
def add(catalogue, number):
    if catalogue.product(number) is None:
        abort(404)
    shop.cart.add(number)
    return shop.cart.summary(), 201


@app.get("/cart")
def cart():
    return shop.cart.summary()
