"""GET /metrics."""

from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families

from tests.published import Published
from tests.service.metrics.exposed import parsed, total
from tests.service.requests import by_features
from tests.service.serving import NOW, TestClient, serving, settings_for


def test_answers_are_counted_by_segment_model_and_source_when_they_are_stored(
    client: TestClient, published: Published
) -> None:
    one = client.post("/segment", json=by_features())
    client.post("/segment", json=by_features(recency=-1))
    client.post("/segment?dry_run=true", json=by_features())
    client.post("/segment/batch?dry_run=true", json=[by_features()])
    many = client.post("/segment/batch", json=[by_features(), by_features(recency=-1), by_features("2")])
    assert (one.status_code, many.json()["assigned"]) == (200, 2)
    found = parsed(client.get("/metrics").text)
    segment = {"segment": one.json()["segment"]["name"], "model_version": published.first}
    assert total(found, "segmentation_assignments_total", source="single", **segment) == 1
    assert total(found, "segmentation_assignments_total", source="batch", **segment) == 2
    assert total(found, "segmentation_assignments_total") == 3
    assert total(found, "segmentation_batch_customers_count") == 2
    assert total(found, "segmentation_batch_customers_sum") == 4
    assert total(found, "segmentation_commit_rows_sum") == 3
    assert total(found, "segmentation_commit_rows_count") == total(found, "segmentation_commit_duration_seconds_count")
    assert total(found, "segmentation_last_assigned_timestamp_seconds") == NOW.timestamp()


def test_what_is_so_at_the_moment_is_told(client: TestClient, published: Published, backend: str) -> None:
    found = parsed(client.get("/metrics").text)
    assert total(found, "segmentation_model_info", version=published.first) == 1
    assert total(found, "segmentation_workers") == total(found, "segmentation_build_info") == 1
    assert total(found, "segmentation_queue_rows") == total(found, "segmentation_model_trouble") == 0
    assert total(found, "segmentation_queue_rows_limit") == 50_000
    assert total(found, "segmentation_database_pool_size") == 8
    assert total(found, "process_resident_memory_bytes") > 1_000_000
    assert total(found, "process_cpu_seconds_total") > 0
    assert total(found, "process_start_time_seconds") > 0
    assert (total(found, "segmentation_store_free_bytes") > 0) == (backend == "sqlite")


def test_another_model_takes_the_place_of_the_one_before(
    sqlite_url: str, own_models_dir: Path, published: Published
) -> None:
    with serving(settings_for(sqlite_url, own_models_dir)) as client:
        assert client.get("/metrics").status_code == 200
        client.post(f"/models/{published.second}/activate")
        found = parsed(client.get("/metrics").text)
    shown = {key: value for key, value in found.items() if key[0] == "segmentation_model_info"}
    assert shown == {("segmentation_model_info", frozenset({("version", published.second)})): 1}


def test_a_service_that_starts_knows_when_the_latest_answer_was_given(store_url: str, models_dir: Path) -> None:
    with serving(settings_for(store_url, models_dir)) as client:
        before = parsed(client.get("/metrics").text)
        assert not any(name == "segmentation_last_assigned_timestamp_seconds" for name, _ in before)
        client.post("/segment", json=by_features())
    with serving(settings_for(store_url, models_dir)) as client:
        found = parsed(client.get("/metrics").text)
    assert total(found, "segmentation_last_assigned_timestamp_seconds") == NOW.timestamp()
    assert total(found, "segmentation_assignments_total") == 0


def test_without_a_model_there_are_metrics(sqlite_url: str, tmp_path: Path) -> None:
    with serving(settings_for(sqlite_url, tmp_path / "none")) as client:
        found = parsed(client.get("/metrics").text)
    assert total(found, "segmentation_model_trouble") == 1
    assert not any(name == "segmentation_model_info" for name, _ in found)


def test_openmetrics_is_told_where_it_is_asked_for(shared_client: TestClient) -> None:
    plain = shared_client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    answer = shared_client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name for family in openmetrics_families(answer.text)}  # type: ignore[no-untyped-call]
    assert {"segmentation_requests", "segmentation_commit_rows", "process_cpu_seconds"} <= families


def test_no_customer_is_told_of(shared_client: TestClient) -> None:
    secret = "c0ffee-customer-17850"
    shared_client.post("/segment", json=by_features(secret))
    shared_client.post("/segment/batch", json=[by_features(secret), {"customer_id": secret}])
    for path in (f"/customers/{secret}", f"/customers/{secret}/history", f"/{secret}", f"/segments/{secret}"):
        shared_client.get(path)
    shared_client.request(secret, "/segment")
    assert secret not in shared_client.get("/metrics").text
