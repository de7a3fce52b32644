"""The same shop in FastAPI: a query on a real file, pydantic models, an injected catalogue.

    GET  /shop?category=Books&page=1    a page of 20 products as JSON (what `realistic` measures)
    GET  /product/NUMBER                one product with its reviews as JSON, or 404
    POST /cart/NUMBER                   puts one into the cart: 201 with its summary, or 404
    GET  /cart                          the summary: {"added", "products", "consistent"}

The handlers that ask the database are plain functions, so that FastAPI runs them in its threads.

    gilbench compare --scenario realistic
    gilbench compare --python VENV... --app apps/shop_fastapi.py:app --path /shop
"""

import os
import sys
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, Field

# For servers that load this as apps.shop_fastapi.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import shop


class Product(BaseModel):
    id: int
    name: str
    category: str
    cents: int = Field(ge=0)
    stock: int = Field(ge=0)


class Listed(Product):
    stars: float
    reviews: int


class Review(BaseModel):
    stars: int = Field(ge=1, le=5)
    words: str


class Detailed(Product):
    reviews: list[Review]


class Page(BaseModel):
    category: str
    page: int
    products: list[Listed]


class Summary(BaseModel):
    added: int
    products: int
    consistent: bool


Catalogue = Annotated[shop.Catalogue, Depends(shop.Catalogue)]
PageNumber = Annotated[int, Field(ge=1)]

app = FastAPI()


@app.get("/shop")
def page(catalogue: Catalogue, category: str = "Books", page: PageNumber = 1) -> Page:
    return Page(category=category, page=page, products=catalogue.page(category, page))


@app.get("/product/{number}")
def product(catalogue: Catalogue, number: int) -> Detailed:
    found = catalogue.product(number)
    if found is None:
        raise HTTPException(404)
    return Detailed(**found)


@app.post("/cart/{number}", status_code=201)
def add(catalogue: Catalogue, number: int) -> Summary:
    if catalogue.product(number) is None:
        raise HTTPException(404)
    shop.cart.add(number)
    return Summary(**shop.cart.summary())


@app.get("/cart")
async def cart() -> Summary:
    return Summary(**shop.cart.summary())
