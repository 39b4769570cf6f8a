{{- define "holdfast.test.chainEnv" -}}
{{- $context := index . 0 }}
{{- $api := index . 1 }}
- {name: BASE, value: "http://{{ $api.fullnameOverride | default "status-api" }}:{{ $api.service.port }}"}
- {name: RELEASE, value: "{{ $context.Release.Name }}-{{ $context.Release.Revision }}"}
- {name: SECONDS, value: {{ sub $context.Values.tests.timeoutSeconds 20 | quote }}}
{{ include "holdfast.secretEnv" (dict "name" "TOKEN" "secret" $context.Values.global.holdfast.secrets.testToken "key" "token") }}
{{- end }}

{{- define "holdfast.test.chain" -}}
import os, sys, time
import httpx

deadline = time.monotonic() + float(os.environ["SECONDS"])
api = httpx.Client(
    base_url=os.environ["BASE"],
    headers={"Authorization": f"Bearer {os.environ['TOKEN']}"},
    timeout=15,
)
run = f"helm-test-{os.environ['RELEASE']}-{time.time_ns():x}"[:64]

def ask(method, path, **more):
    """Ask until there is an answer that is no 5xx: starting twice under one ID is one start."""
    while True:
        try:
            answer = api.request(method, path, **more)
            if answer.status_code < 500:
                return answer
            said = f"{answer.status_code} {answer.text.strip()}"
        except httpx.HTTPError as error:
            said = repr(error)
        if time.monotonic() > deadline:
            sys.exit(f"{method} {path}: {said}")
        time.sleep(1)

accepted = ask(
    "POST",
    f"/workflows/task_chain?instance_id={run}",
    json=1,
    headers={"Idempotency-Key": run},
)
if accepted.status_code != 202:
    sys.exit(f"the start was answered with {accepted.status_code}: {accepted.text.strip()}")
print(f"{run} is accepted")
while True:
    answer = ask("GET", f"/status/{run}", headers={"Prefer": "wait=10"})
    if answer.status_code != 200:
        sys.exit(f"its state was answered with {answer.status_code}: {answer.text.strip()}")
    state = answer.json()
    if state["state"] not in ("PENDING", "RUNNING"):
        break
    if time.monotonic() > deadline:
        why = ask("GET", f"/runs/{run}/why").text.strip()
        sys.exit(f"{run} is still {state['state']}: {why}")
if (state["state"], state["output"]) != ("COMPLETED", [2, 4, 16]):
    sys.exit(f"{run} is {state['state']} with the output {state['output']}, not [2, 4, 16]")
print(f"{run} is COMPLETED: {state['output']}")
{{- end }}
