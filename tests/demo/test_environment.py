from capacity_pilot.demo.environment import isolate


def test_nothing_of_the_users_reaches_an_account_a_collector_or_a_proxy() -> None:
    environment = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "secret",
        "AWS_ACCESS_KEY_ID": "real",
        "OTEL_SDK_DISABLED": "true",
        "OTEL_EXPORTER_OTLP_HEADERS": "key=secret",
        "CAPACITY_PILOT_POLICY_TEXT": "version: 1",
        "https_proxy": "http://proxy",
        "HTTP_PROXY": "http://proxy",
    }
    isolate(environment)
    assert environment["PATH"] == "/bin"
    assert environment["AWS_ACCESS_KEY_ID"] == "demo"
    assert not environment.keys() & {
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "OTEL_SDK_DISABLED",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "CAPACITY_PILOT_POLICY_TEXT",
        "https_proxy",
        "HTTP_PROXY",
    }
