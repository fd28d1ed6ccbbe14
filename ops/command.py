"""What every command has in common: how it starts and how it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from docker.errors import DockerException
from requests.exceptions import RequestException

from config.catalogue import LOCK_FILE
from config.errors import ConfigError, LockError
from toolchain.steps import StepFailed, main_guard


def run(main: Callable[[], None]) -> NoReturn:
    """Run a command's main function; what is wrong is printed in sentences, never as a traceback."""

    def guarded() -> int:
        try:
            main()
        except ConfigError as error:
            raise StepFailed(step="settings", reason=str(error), remedy="change them as said above") from error
        except LockError as error:
            raise StepFailed(
                step=LOCK_FILE, reason=str(error), remedy="do that and run the same command again"
            ) from error
        except (DockerException, RequestException) as error:
            # The engine was there when it was connected to: it was stopped meanwhile, or somebody works on it too.
            raise StepFailed(
                step="Docker engine",
                reason=str(error),
                remedy="see that it runs (docker info), then run the same command again; what was done stays done",
            ) from error
        return 0

    main_guard(guarded)
