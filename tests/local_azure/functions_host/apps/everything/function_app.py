"""One function of every kind that the host runs."""

import datetime
import json
import time

import azure.durable_functions as df
import azure.functions as func
from extra import blueprint

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(blueprint)


@app.route(route="start/{name}/{id?}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.durable_client_input(client_name="client")
async def http_start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    body = req.get_body()
    instance_id = await client.start_new(
        req.route_params["name"], req.route_params.get("id"), json.loads(body) if body else None
    )
    return client.create_check_status_response(req, instance_id)


@app.route(route="slowly/{seconds:int}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.durable_client_input(client_name="client")
async def http_slow_start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    import asyncio

    await asyncio.sleep(int(req.route_params["seconds"]))
    return client.create_check_status_response(req, await client.start_new("fan_out", "late", {"n": 2}))


@app.route(route="run/{name}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.durable_client_input(client_name="client")
async def http_run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new(req.route_params["name"], client_input=req.get_json())
    return await client.wait_for_completion_or_create_check_status_response(req, instance_id, 15000, 50)


@app.route(route="client/{call}/{id}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.durable_client_input(client_name="client")
async def http_client(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    call, instance_id, data = req.route_params["call"], req.route_params["id"], req.get_json()
    answer = None
    if call == "status":
        answer = (await client.get_status(instance_id, show_input=True)).to_json()
    elif call == "list":
        answer = [item.instance_id for item in await client.get_status_all()]
    elif call == "event":
        await client.raise_event(instance_id, data["name"], data["data"])
    elif call == "terminate":
        await client.terminate(instance_id, data)
    elif call == "suspend":
        await client.suspend(instance_id, data)
    elif call == "resume":
        await client.resume(instance_id, data)
    elif call == "purge":
        answer = (await client.purge_instance_history(instance_id)).instances_deleted
    elif call == "signal":
        await client.signal_entity(df.EntityId("Counter", instance_id), data["op"], data["data"])
    elif call == "entity":
        state = await client.read_entity_state(df.EntityId("Counter", instance_id))
        answer = {"exists": state.entity_exists, "state": state.entity_state}
    return func.HttpResponse(json.dumps(answer, default=str), mimetype="application/json")


@app.route(route="secret", methods=["GET"])
def secret(req: func.HttpRequest, context: func.Context) -> str:
    return f"{context.function_name} {req.params.get('who', '')}"


@app.route(route="boss", auth_level=func.AuthLevel.ADMIN)
def boss(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(b"\x00\x01", status_code=201, headers={"x-kind": "bytes"}, mimetype="application/x-raw")


@app.route(route="url/{*rest}", auth_level=func.AuthLevel.ANONYMOUS)
def url(req: func.HttpRequest) -> str:
    return f"{req.method} {req.url} {req.route_params.get('rest')}"


@app.route(route="broken", auth_level=func.AuthLevel.ANONYMOUS)
def broken(req: func.HttpRequest) -> str:
    raise ValueError("on purpose")


@app.activity_trigger(input_name="x")
def double(x: int) -> int:
    return x * 2


@app.activity_trigger(input_name="x")
async def slowly(x: dict) -> dict:
    import asyncio

    await asyncio.sleep(x.get("seconds", 0.1))
    return {"slept": x}


@app.activity_trigger(input_name="x")
def blocking(x: float) -> float:
    time.sleep(x)
    return x


@app.activity_trigger(input_name="text", activity="Echo")
def echo_activity(text: str) -> str:
    return text


@app.activity_trigger(input_name="x")
def fail(x: str) -> str:
    raise ValueError(f"no {x}")


FLAKY: dict = {}


@app.activity_trigger(input_name="key")
def flaky(key: str) -> int:
    FLAKY[key] = FLAKY.get(key, 0) + 1
    if FLAKY[key] < 3:
        raise RuntimeError(f"attempt {FLAKY[key]}")
    return FLAKY[key]


@app.orchestration_trigger(context_name="context")
def fan_out(context: df.DurableOrchestrationContext):
    n = context.get_input()["n"]
    parts = yield context.task_all([context.call_activity("double", i) for i in range(n)])
    context.set_custom_status({"parts": len(parts)})
    return {"sum": sum(parts)}


@app.orchestration_trigger(context_name="context")
def sleeper(context: df.DurableOrchestrationContext):
    seconds = context.get_input()["seconds"]
    yield context.create_timer(context.current_utc_datetime + datetime.timedelta(seconds=seconds))
    return "woke"


@app.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext):
    limit = context.create_timer(context.current_utc_datetime + datetime.timedelta(seconds=60))
    decision = context.wait_for_external_event("decision")
    winner = yield context.task_any([decision, limit])
    if winner == limit:
        return "late"
    limit.cancel()
    return decision.result


@app.orchestration_trigger(context_name="context")
def retrying(context: df.DurableOrchestrationContext):
    options = df.RetryOptions(first_retry_interval_in_milliseconds=200, max_number_of_attempts=5)
    attempts = yield context.call_activity_with_retry("flaky", options, context.instance_id)
    more = yield context.call_activity("double", attempts)
    return [attempts, more]


@app.orchestration_trigger(context_name="context")
def parent(context: df.DurableOrchestrationContext):
    first = yield context.call_sub_orchestrator("child", {"x": 1})
    both = yield context.task_all(
        [context.call_sub_orchestrator("child", {"x": i}, f"{context.instance_id}-{i}") for i in (2, 3)]
    )
    return [first, *both]


@app.orchestration_trigger(context_name="context")
def child(context: df.DurableOrchestrationContext):
    result = yield context.call_activity(double, context.get_input()["x"])
    return {"child": result}


@app.orchestration_trigger(context_name="context")
def eternal(context: df.DurableOrchestrationContext):
    round_ = context.get_input()
    yield context.call_activity("double", round_)
    if round_ < 3:
        context.continue_as_new(round_ + 1)
        return None
    return f"round {round_}"


@app.orchestration_trigger(context_name="context")
def failing(context: df.DurableOrchestrationContext):
    yield context.call_activity("fail", context.get_input())
    return "never"


@app.orchestration_trigger(context_name="context")
def counting(context: df.DurableOrchestrationContext):
    entity = df.EntityId("Counter", context.get_input())
    context.signal_entity(entity, "add", 5)
    value = yield context.call_entity(entity, "add", 2)
    text = yield context.call_activity("Echo", "after")
    try:
        yield context.call_entity(entity, "explode")
    except Exception as error:  # noqa: BLE001 - the SDK raises nothing narrower
        text += f" {error}"
    return [value, text]


@app.orchestration_trigger(context_name="context")
def big(context: df.DurableOrchestrationContext):
    text = yield context.call_activity("Echo", context.get_input())
    return text + text


@app.orchestration_trigger(context_name="context")
def long_run(context: df.DurableOrchestrationContext):
    total = yield context.call_activity("double", context.get_input())
    yield context.wait_for_external_event("go")
    for step in range(3):
        total += yield context.call_activity("double", step)
        yield context.create_timer(context.current_utc_datetime + datetime.timedelta(seconds=2))
    return total


@app.orchestration_trigger(context_name="context")
def fetching(context: df.DurableOrchestrationContext):
    response = yield context.call_http("POST", context.get_input(), {"a": 1}, headers={"x-test": "1"})
    return [response["statusCode"], response["content"]]


@app.orchestration_trigger(context_name="context")
def version(context: df.DurableOrchestrationContext):
    return context.version
    yield


@app.entity_trigger(context_name="context", entity_name="Counter")
def counter(context: df.DurableEntityContext) -> None:
    value = context.get_state(lambda: 0)
    if context.operation_name == "add":
        value += context.get_input()
        context.set_result(value)
    elif context.operation_name == "explode":
        raise ValueError("boom")
    elif context.operation_name == "delete":
        context.destruct_on_exit()
        return
    context.set_state(value)
