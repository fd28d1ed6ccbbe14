"""The stack's outputs, as ``config/outputs.py`` defines them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import pulumi

from components.platform import Platform
from config.catalogue import software_version
from config.homeservers import HOMESERVERS
from config.outputs import host_outputs, plain_outputs
from config.secret_keys import secret
from config.stack_images import images_of


@final
@dataclass(frozen=True, kw_only=True)
class StackOutputs:
    """What the outputs are made of."""

    platform: Platform
    ca_pem: pulumi.Input[str]
    registration_token: pulumi.Output[str] | None


def export(outputs: StackOutputs) -> None:
    """Export the outputs of the stack."""
    platform = outputs.platform
    settings = platform.settings
    facts = HOMESERVERS[settings.homeserver]
    values: dict[str, object] = {**plain_outputs(settings)}
    if ssh := platform.ssh:
        values |= host_outputs(settings, address=ssh.address, host_key=ssh.host_key, user=ssh.user, port=ssh.port)
    for name, value in values.items():
        pulumi.export(name, value)
    image = platform.images[facts.image]
    pulumi.export(
        "homeserver",
        {
            "implementation": settings.homeserver,
            "version": software_version(facts.image, settings.image_source),
            "image": image.reference,
            "imageId": image.resource.image_id,
        },
    )
    pulumi.export("images", {name: platform.images[name].resource.image_id for name in images_of(settings)})
    pulumi.export("caCertificate", outputs.ca_pem)
    pulumi.export("registrationToken", outputs.registration_token or pulumi.Output.secret(""))
    grafana_password = secret("grafanaAdminPassword") if settings.grafana else pulumi.Output.secret("")
    pulumi.export("grafanaAdminPassword", grafana_password)
