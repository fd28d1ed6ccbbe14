"""`make down`: remove what the stack declared. Conversations, CA, keys and secrets stay."""

from __future__ import annotations

from ops import command, engine
from ops.repair import alone, repair
from ops.stack import VOLUME_TYPE, Stack, from_arguments, require
from toolchain.steps import StepFailed, step


def main() -> None:
    """Destroy everything that is not protected."""
    stack = require(from_arguments("remove the stack's containers and networks; keep its data"))
    with alone(stack):
        _remove(stack)


def _remove(stack: Stack) -> None:
    volumes = [each for each in stack.state().resources if each["type"] == VOLUME_TYPE]
    unprotected = [each for each in volumes if each["urn"].endswith("-data") and not each.get("protect")]
    if unprotected:
        raise StepFailed(
            step=f"stack {stack.name}",
            reason="deleteProtection is false: this would remove people's conversations with the rest",
            remedy=f"keep them: pulumi config set deleteProtection true && make up STACK={stack.name}\n"
            f"or remove them too: make purge STACK={stack.name}",
        )
    with stack.docker_engine() as address:
        if address is not None:
            with engine.connect(address) as client:
                repair(client, stack)
    with step(f"Stack {stack.name}: pulumi destroy") as this:
        this.hand_over()
        stack.run("destroy", "--yes", "--skip-preview", "--exclude-protected")
    names = ", ".join(sorted(each["outputs"]["name"] for each in volumes if each.get("protect")))
    print(f"Kept: the volumes {names}; CA and keys in the state; secrets in {stack.config_file.name}.")
    print(f"`make up` brings everything back, `make purge` removes these too (STACK={stack.name}).")


if __name__ == "__main__":
    command.run(main)
