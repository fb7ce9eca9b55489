#!/bin/sh
# Writes what differs from site to site into /etc/asterisk/site/, then becomes its arguments (asterisk -f -n).
#
#   AMI_SECRET         secret of the AMI user `dialer`; AMI_SECRET_FILE names a file that holds it. One is needed.
#   AMI_BIND           127.0.0.1          AMI_PORT   5038
#   AMI_PERMIT         127.0.0.1/32       networks, separated by blanks, from which AMI users may connect
#   AMI_TLS_FILE                          certificate and key in one PEM file; with it AMI speaks TLS, too, on
#   AMI_TLS_PORT       5039
#   LAB_SECRET         if set, there is a second AMI user `lab` who may do anything. For tests only.
#   SIP_BIND           0.0.0.0            SIP_PORT   5060
#   RTP_START RTP_END  10000 19999
#   CARRIER            127.0.0.1:5070     address of the carrier; the trunk is PJSIP/<number>@carrier
#   AGENTS             127.0.0.1:5071     address of the agents' phones, which are PJSIP/agent1, agent2 ...
#   AGENT_COUNT        5
#   QUEUES             sales:1-5          queues and their agents, e.g. "sales:1-5 support:4-8 empty:"
#   QUEUE_WRAPUP_SECONDS  0               an agent's rest after a call
#   QUEUE_RING_SECONDS                    how long one agent's phone rings; default: what queues.conf says
set -eu

AMI_SECRET=${AMI_SECRET:-$(cat "${AMI_SECRET_FILE:-/dev/null}")}
if [ -z "$AMI_SECRET" ]; then
    echo "AMI_SECRET is not set: name the secret of the AMI user 'dialer', e.g. the output of 'openssl rand -hex 24'." >&2
    exit 1
fi
AGENTS=${AGENTS:-127.0.0.1:5071}
AGENT_COUNT=${AGENT_COUNT:-5}
CARRIER=${CARRIER:-127.0.0.1:5070}
SITE=/etc/asterisk/site
umask 077

permits() {
    echo 'deny = 0.0.0.0/0'
    for network in ${AMI_PERMIT:-127.0.0.1/32}; do echo "permit = $network"; done
}

{
    printf '[general](+)\nbindaddr = %s\nport = %s\n\n' "${AMI_BIND:-127.0.0.1}" "${AMI_PORT:-5038}"
    if [ -n "${AMI_TLS_FILE:-}" ]; then
        printf '[general](+)\ntlsenable = yes\ntlsbindaddr = %s:%s\ntlscertfile = %s\ntlsprivatekey = %s\n\n' \
            "${AMI_BIND:-127.0.0.1}" "${AMI_TLS_PORT:-5039}" "$AMI_TLS_FILE" "$AMI_TLS_FILE"
    fi
    printf '[dialer](+)\nsecret = %s\n' "$AMI_SECRET"
    permits
    if [ -n "${LAB_SECRET:-}" ]; then
        printf '\n[lab]\nsecret = %s\nread = all\nwrite = all\nwritetimeout = 5000\n' "$LAB_SECRET"
        permits
    fi
} >"$SITE/manager.conf"

{
    printf '[udp](+)\nbind = %s:%s\n\n' "${SIP_BIND:-0.0.0.0}" "${SIP_PORT:-5060}"
    printf '[carrier](trunk)\naors = carrier\n[carrier](trunk-aor)\ncontact = sip:%s\n' "$CARRIER"
    printf '[carrier]\ntype = identify\nendpoint = carrier\nmatch = %s\n\n' "${CARRIER%%:*}"
    number=1
    while [ "$number" -le "$AGENT_COUNT" ]; do
        printf '[agent%d](agent)\naors = agent%d\n' "$number" "$number"
        printf '[agent%d](agent-aor)\ncontact = sip:agent%d@%s\n' "$number" "$number" "$AGENTS"
        number=$((number + 1))
    done
} >"$SITE/pjsip.conf"

for queue in ${QUEUES-sales:1-5}; do
    name=${queue%%:*} members=${queue#*:}
    printf '[%s](dialer-queue)\n' "$name"
    [ -z "${QUEUE_RING_SECONDS:-}" ] || printf 'timeout = %s\n' "$QUEUE_RING_SECONDS"
    [ -n "$members" ] || continue
    for number in $(seq "${members%-*}" "${members#*-}"); do
        printf 'member => PJSIP/agent%d,0,Agent %d,PJSIP/agent%d,no,%d\n' "$number" "$number" "$number" \
            "${QUEUE_WRAPUP_SECONDS:-0}"
    done
done >"$SITE/queues.conf"

printf '[general](+)\nrtpstart = %s\nrtpend = %s\n' "${RTP_START:-10000}" "${RTP_END:-19999}" >"$SITE/rtp.conf"

exec "$@"
