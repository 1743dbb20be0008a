"""The map of customers: their scaled features in the two dimensions that show most of them."""

import numpy as np
from sklearn.decomposition import PCA

from models.customer_map import CustomerMap
from models.scorer import Scorer
from models.scorer_arrays import ScorerArrays
from training.segmentation import Segmentation, sampled

POINTS = 1_500


def map_of(segmentation: Segmentation, arrays: ScorerArrays, seed: int) -> CustomerMap:
    """A sample of customers along the first two principal components (Pearson 1901) of what decides their segment."""
    values = sampled(segmentation.option.values, POINTS, seed)
    scorer = Scorer(arrays)
    scaled = scorer.scaled(values)
    # one feature alone has no second dimension: it is then drawn on a line
    wide = scaled if scaled.shape[1] > 1 else np.column_stack([scaled, np.zeros(len(scaled))])
    components = PCA(2, random_state=seed).fit(wide)
    # a component's sign is arbitrary: the strongest feature points to the right, and up
    signs = np.array([np.sign(row[np.argmax(np.abs(row))]) or 1.0 for row in components.components_])
    places = components.transform(wide) * signs
    loadings = (components.components_ * signs[:, None]).T[: scaled.shape[1]]
    ids = np.array(arrays.segment_ids)[scorer.place_many(values).nearest]
    first, second = (round(float(share), 4) for share in components.explained_variance_ratio_)
    return CustomerMap(
        features=arrays.features,
        loadings=tuple((round(float(a), 4), round(float(b), 4)) for a, b in loadings),
        explained=(first, second),
        x=tuple(np.round(places[:, 0], 3).tolist()),
        y=tuple(np.round(places[:, 1], 3).tolist()),
        segment_ids=tuple(ids.tolist()),
    )
