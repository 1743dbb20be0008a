"""The cleaning report: from the lines read to the purchases used, in figures."""

from ibis import _ as row

from models.evidence import CleaningReport
from models.summary import Summaries
from training.cleaning import Cleaned


def cleaning_report(cleaned: Cleaned, summaries: Summaries) -> CleaningReport:
    """What the rules left, and what the customers' summaries made of it."""
    purchases = cleaned.purchases.agg(
        lines=row.count(), customers=row.customer.nunique(), revenue=row.value.sum(),
        undone=row.undone.sum(),
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    returns = cleaned.returns.agg(lines=row.count(), value=row.value.sum()).to_pyarrow().to_pylist()[0]
    return CleaningReport(
        rows=cleaned.rules[0].remaining + cleaned.rules[0].removed,
        rules=cleaned.rules,
        purchases=purchases["lines"],
        purchase_customers=purchases["customers"],
        purchase_revenue=round(purchases["revenue"] or 0.0, 2),
        returns=returns["lines"],
        returned_value=round(returns["value"] or 0.0, 2),
        cancelled_purchases=int(purchases["undone"] or 0),
        customers=len(summaries),
        orders=int(summaries.orders.sum()),
        revenue=round(float(summaries.bought.sum() - summaries.returned.sum()), 2),
    )
