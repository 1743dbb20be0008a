"""The yardstick: a FastAPI endpoint that takes the same body, checks it by pydantic, and does nothing."""

from datetime import datetime

from fastapi import FastAPI
from pydantic import BaseModel


class Features(BaseModel):
    """The eight features of the body."""

    recency: float
    frequency: float
    monetary: float
    tenure: float
    average_order_value: float
    distinct_products: float
    mean_gap: float
    typical_quantity: float


class Customer(BaseModel):
    """One customer to assign."""

    customer_id: str
    features: Features


class Transaction(BaseModel):
    """One line of an invoice."""

    invoice_no: str
    stock_code: str
    quantity: float
    invoice_date: datetime
    unit_price: float


class Purchases(BaseModel):
    """One customer's lines."""

    customer_id: str
    as_of: datetime
    transactions: list[Transaction]


class Answer(BaseModel):
    """Nothing was done."""

    customer_id: str


app = FastAPI()


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    """Always."""
    return {"status": "ready"}


@app.post("/segment")
async def segment(body: Customer) -> Answer:
    """Takes the body and answers."""
    return Answer(customer_id=body.customer_id)


@app.post("/segment/transactions")
async def transactions(body: Purchases) -> Answer:
    """Takes the lines and answers."""
    return Answer(customer_id=body.customer_id)


@app.post("/segment/batch")
async def batch(body: list[Customer]) -> list[Answer]:
    """Takes the list and answers one by one."""
    return [Answer(customer_id=one.customer_id) for one in body]
