"""Tag popularity against scores worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from serendip import models
from serendip.data import Columns, Queries
from serendip.models import kind_of
from worlds import NOON, took, world


def test_an_item_counts_as_often_as_it_was_taken_times_the_share_of_its_topic() -> None:
    # Items 0 and 1 are of sport, 2 of tech, 3 of nothing. Taken 3, 1, 2 and 5 times.
    taken = {0: 3, 1: 1, 2: 2, 3: 5}
    data = world([took(user, item) for item, n in taken.items() for user in range(n)])
    topics = [{"topic": "sport"}, {"topic": "sport"}, {"topic": "tech"}, {}]
    data = replace(data, item_columns=Columns.of(topics))
    model = models.fit("tag-popularity", kind_of("tag-popularity").config(column="topic"), data)
    histories = [[took(9, 0), took(9, 1), took(9, 2)], [took(9, 2), took(9, 3)], [took(9, 3)], []]
    scores = model.score(Queries.of(histories, data.items, NOON))
    # Two of three topics are sport: 3 * 2/3, 1 * 2/3, 2 * 1/3. Then tech alone. Then nothing to go by.
    np.testing.assert_allclose(scores[0], [2, 2 / 3, 2 / 3, 0], rtol=1e-6)
    np.testing.assert_allclose(scores[1], [0, 0, 2, 0], rtol=1e-6)
    assert np.isnan(scores[2:]).all()
