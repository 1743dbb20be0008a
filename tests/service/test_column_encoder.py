"""Answers put together column by column say what they say one by one."""

import numpy as np

from models.forecast.transitions import NextSegments
from models.model import SegmentationModel
from service.column_encoder import ColumnEncoder
from service.served_model import Limits, ServedModel


def test_each_way_up_or_none_is_told_as_one_by_one(model: SegmentationModel) -> None:
    served = ServedModel(model, None, Limits(batch=10, transactions=10))
    following = NextSegments(
        orders=np.array([0, 2, 0, 3]),
        by_orders=np.array([0, 1, 0, 1]),
        order_value=np.array([np.nan, 10.5, 20.0, 30.0]),
        spend=np.array([0, 0, 7, 8]),
        by_spend=np.array([0, 0, 1, 0]),
    )
    columns = ColumnEncoder(served)._next_segments(following)
    told = [b"".join(one if isinstance(one, bytes) else one[row] for one in columns).decode() for row in range(4)]
    alone = ["null", *(served.encoder.following(*one) for one in list(following.rows())[1:])]
    assert told == [f'"next_segment":{one}' for one in alone]
