"""Alert rules on what users notice: the homeserver, its edge, its certificate, its Redis."""

from __future__ import annotations

from collections.abc import Sequence

from config.alert_settings import AlertSettings
from config.alerts.rule import HOUR, MINUTE, Rule, Text
from config.scraping import WRITE_SECONDS


def rules(alerting: AlertSettings) -> Sequence[Rule]:
    """Return the rules of the group ``matrix``.

    ``absent(...)`` tells of a probe that is gone from the configuration, and leaves a part that does not answer to
    TargetDown: that the probe is silent does not mean that users are.
    """
    return (
        Rule(
            name="HomeserverDown",
            group="matrix",
            severity="critical",
            expr=(
                'probe_success{probe="matrix_client"} == 0\n'
                'or (absent(probe_success{probe="matrix_client"}) unless on () up{job="blackbox"} == 0)'
            ),
            lasts=1 * MINUTE,
            # What follows from it and clears later stays inhibited meanwhile.
            keeps=1 * MINUTE,
            needs=("blackbox",),
            meaning=Text(
                en="Clients get no answer from the homeserver through Nginx.",
                zh="客户端经 Nginx 无法访问主服务器。",
            ),
            action=Text(
                en="`make status` says what is down, `docker logs` of that container says why, `make up` repairs.",
                zh="用 `make status` 查看是哪一部分停止；用该容器的 `docker logs` 查看原因；用 `make up` 修复。",
            ),
        ),
        Rule(
            name="HomeserverWriteProbeFailing",
            group="matrix",
            severity="critical",
            # RocksDB and SQLite may refuse to write while everything that only reads still answers.
            expr=(
                "matrix_canary_success == 0\n"
                f"or time() - matrix_canary_timestamp_seconds > {WRITE_SECONDS}\n"
                'or (absent(matrix_canary_success) unless on () up{job="canary"} == 0)'
            ),
            lasts=5 * MINUTE,
            needs=("canary",),
            meaning=Text(
                en="A test message could not be sent and read back: the homeserver may answer, but it does not write.",
                zh="测试消息无法发送并读回：主服务器可能仍有应答，但无法写入。",
            ),
            action=Text(
                en="Look for a full disk (`df -h`); with room again, `docker restart` the homeserver's container.",
                zh="首先检查磁盘是否已满（`df -h`）；腾出空间后用 `docker restart` 重启主服务器的容器。",
            ),
        ),
        Rule(
            name="FederationEndpointDown",
            group="matrix",
            severity="warning",
            expr=(
                'probe_success{probe="matrix_federation"} == 0\n'
                'or (absent(probe_success{probe="matrix_federation"}) unless on () up{job="blackbox"} == 0)'
            ),
            lasts=5 * MINUTE,
            needs=("blackbox", "federation"),
            meaning=Text(
                en="Other homeservers get no answer; people of this one can still talk to each other.",
                zh="其他主服务器无法访问本服务器；本服务器用户之间仍可通信。",
            ),
            action=Text(
                en="`make status` says how far others get; look at Nginx' federation port and the firewall before it.",
                zh="用 `make status` 查看其他服务器能到达哪一步。检查 Nginx 的联邦端口及其前面的防火墙。",
            ),
        ),
        Rule(
            name="HighErrorRatio5xx",
            group="matrix",
            severity="warning",
            # A vhost that hardly anybody asks is left out. The last clause: the window remembers an outage for longer
            # than HomeserverDown lasts, and would tell of it a second time when it is over.
            expr=(
                '(sum by (vhost) (rate(nginx_http_responses_total{status=~"5.."}[5m]))\n'
                "  / sum by (vhost) (rate(nginx_http_responses_total[5m]))) "
                f"> {alerting.alert_error_percent / 100:g}\n"
                "and on (vhost) sum by (vhost) (rate(nginx_http_responses_total[5m])) > 0.1\n"
                'unless on () last_over_time(ALERTS{alertname="HomeserverDown", alertstate="firing"}[5m])'
            ),
            lasts=5 * MINUTE,
            needs=("nginx",),
            meaning=Text(
                en="Many requests end with an error of the server (HTTP 500 to 599).",
                zh="大量请求以服务器错误（HTTP 500 至 599）结束。",
            ),
            detail="{{ $labels.vhost }}: {{ $value | humanizePercentage }}",
            action=Text(
                en="`docker logs` of the homeserver says what fails.",
                zh="用主服务器容器的 `docker logs` 查看失败原因。",
            ),
        ),
        Rule(
            name="CertificateExpiresSoon",
            group="matrix",
            severity="warning",
            # The last value: a probe that fails once does not clear it.
            expr=(
                "min by (instance) (last_over_time(probe_ssl_earliest_cert_expiry[15m])) - time() "
                f"< {alerting.alert_certificate_days} * 86400"
            ),
            lasts=15 * MINUTE,
            needs=("blackbox",),
            meaning=Text(
                en="The certificate ends soon and has not been renewed.",
                zh="证书即将到期且尚未续期。",
            ),
            detail="{{ $labels.instance }}: {{ $value | humanizeDuration }}",
            action=Text(
                en="With ACME `make status` says why. A certificate of the stack's own CA is renewed by `make up`.",
                zh="使用 ACME 时用 `make status` 查看原因；由本栈自有 CA 签发的证书用 `make up` 续期。",
            ),
        ),
        Rule(
            name="CertificateNotRenewed",
            group="matrix",
            severity="warning",
            # The client renews when a third of the life is left, and comes again within hours after each failure: of a
            # certificate of six days 42 hours are left when this fires. No threshold of days would do for all lives.
            expr="acme_certificate_issued == 0\nor time() > acme_certificate_renew_at_timestamp_seconds",
            lasts=6 * HOUR,
            needs=("acme",),
            meaning=Text(
                en="A new certificate has been due for hours and the CA has not issued it.",
                zh="新证书早该签发，但 CA 数小时来仍未签发。",
            ),
            action=Text(
                en="`make status` says what went wrong and when the CA is asked next; docs/certificates.md what to do.",
                zh="用 `make status` 查看失败原因及下次尝试时间；处理办法见 docs/certificates.md。",
            ),
        ),
        Rule(
            name="RedisDown",
            group="matrix",
            severity="critical",
            expr='redis_up == 0\nor (absent(redis_up) unless on () up{job="redis"} == 0)',
            lasts=1 * MINUTE,
            keeps=1 * MINUTE,
            needs=("redis",),
            meaning=Text(en="Redis does not answer.", zh="Redis 没有应答。"),
            action=Text(
                en="`docker logs` of Redis says why; `make up` brings it back.",
                zh="用 Redis 容器的 `docker logs` 查看原因；用 `make up` 恢复。",
            ),
        ),
    )
