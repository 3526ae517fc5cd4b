"""Can a path, a header or a method be read in two ways? Then it is read in none."""

import pytest

from arkway.control.admin.matching import MAX_SEGMENTS, Table
from arkway.control.admin.operations import OPERATIONS

V1 = "/admin/v1"
TARGETS = ("keys", "tokens", "audit")
# Ways to write a path that some proxies and frameworks take for `/admin/v1/keys`.
WRITTEN = [
    "//admin/v1/{}", "/admin//v1/{}", "/admin/v1//{}", "/admin/v1/{}/", "/admin/v1/{}//",
    "/admin/v1/./{}", "/admin/./v1/{}", "/admin/v1/x/../{}", "/admin/v1/../v1/{}",
    "/admin/v1/%2e/{}", "/admin/v1/x/%2e%2e/{}", "/admin/v1/%2e%2e/v1/{}", "/admin%2fv1/{}",
    "/admin/v1%2f{}", "/admin/v1/%2f{}", "/admin\\v1\\{}", "/admin/v1/{};x=1", "/admin/v1;/{}",
    "/admin/v1/{}%00", "/admin/v1/{}\x00", "/admin/v1/{}%20", "/admin/v1/{}.", "/admin/v1/{}.json",
    "/admin/v1/{}%3f", "/admin/v1/{}%23", "/ADMIN/v1/{}", "/admin/V1/{}", "/Admin/v1/{}",
    "/%61dmin/v1/{}", "/admin/v%31/{}", "http://127.0.0.1/admin/v1/{}", "/admin/v1/%252e/{}",
    "/admin/v1/{}%0a", "/admin/v1/{}\t", "/./admin/v1/{}", "/x/../admin/v1/{}", "admin/v1/{}",
    "/admin/v1/%c0%ae%c0%ae/{}", "/admin/v1/\xff/{}", "/admin/v1/{}/..", "/docs/../admin/v1/{}",
    "/admin/openapi.json/../v1/{}", "/admin/openapi.json;/v1/{}", "/admin/openapi.json%2f..%2f{}",
]  # fmt: skip
OVERRIDES = [
    ("x-original-url", "/admin/openapi.json"), ("x-rewrite-url", "/admin/openapi.json"),
    ("x-forwarded-prefix", "/admin/openapi.json"), ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "localhost"), ("x-forwarded-proto", "https"), ("forwarded", "for=::1"),
    ("x-http-method-override", "GET"), ("x-method-override", "GET"), ("x-real-ip", "127.0.0.1"),
    ("x-forwarded-user", "admin"), ("x-remote-user", "admin"), ("x-admin-token", "adm-x"),
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_a_path_written_otherwise_is_no_route(lab, target):
    for written in WRITTEN:
        path = written.format(target)
        for role in (None, "admin"):
            answer = lab.ask("GET", path, role=role)
            assert answer.status in (401, 403, 404, 405), (path, role, answer.status)


@pytest.mark.parametrize("target", TARGETS)
def test_no_header_makes_another_request_of_it(lab, target):
    for header in OVERRIDES:
        for method in ("GET", "POST", "DELETE"):
            answer = lab.ask(method, f"{V1}/{target}", role=None, headers=[header])
            assert answer.status in (401, 405), (header, method, answer.status)
        answer = lab.ask("DELETE", f"{V1}/tokens/viewer", role="viewer", headers=[header])
        assert answer.status == 403
    assert lab.ask("GET", f"{V1}/tenants", role="viewer").status == 200


@pytest.mark.parametrize(
    "method", ["HEAD", "OPTIONS", "TRACE", "PUT", "CONNECT", "get", "GET ", "Q"]
)
def test_a_method_that_is_not_there_is_refused_with_those_that_are(lab, method):
    answer = lab.ask(method, f"{V1}/keys")

    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


def test_every_route_is_found_by_its_own_path_and_by_no_other():
    table = Table(OPERATIONS)
    for each in OPERATIONS:
        path = each.path.replace("{", "").replace("}", "").encode()
        found = table.match(each.method, path)
        assert found.operation is each
        assert found.path == {name: name for name in each.parameters}
        assert table.match(each.method, path + b"/x" * MAX_SEGMENTS).methods == ()


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"a%2Fb", "a/b"),
        (b"%E8%B1%86", "豆"),
        (b"a+b", "a+b"),
        (b"%25", "%"),
        (b"..", None),
        (b"%2E%2e", None),
        (b"a%00", None),
        (b"%ff", None),
        (b"%zz", None),
        (b"a;b", None),
        (b"a\\b", None),
        (b"", None),
    ],
)
def test_a_name_in_a_path_is_decoded_once(raw, name):
    found = Table(OPERATIONS).match("GET", b"/admin/v1/keys/" + raw)

    assert found.path.get("key") == name
