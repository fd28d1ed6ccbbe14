"""How the commands fail: in sentences."""

from __future__ import annotations

import pytest
from docker.errors import APIError
from requests.exceptions import ConnectionError as ConnectionLost

from ops import command


@pytest.mark.parametrize(
    "failure",
    [APIError("409 Client Error: Conflict"), ConnectionLost("Connection aborted.")],
)
def test_a_docker_engine_that_fails_on_the_way_is_told_without_a_traceback(
    failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise failure

    with pytest.raises(SystemExit) as ended:
        command.run(main)
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "Docker engine" in told
    assert str(failure) in told
    assert "run the same command again" in told
    assert "Traceback" not in told
