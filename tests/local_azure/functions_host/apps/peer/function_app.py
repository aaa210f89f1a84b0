"""The orchestrations of the recordings, in Python."""

import datetime
import json

import azure.durable_functions as df

app = df.DFApp()


@app.activity_trigger(input_name="city", activity="SayHello")
def say_hello(city: str) -> str:
    return f"Hello {city}!"


@app.activity_trigger(input_name="message", activity="Boom")
def boom(message: str) -> str:
    raise RuntimeError(message)


@app.orchestration_trigger(context_name="context", orchestration="HelloSequence")
def hello_sequence(context: df.DurableOrchestrationContext):
    greetings = []
    for city in ("Tokyo", "Seattle", "London"):
        greetings.append((yield context.call_activity("SayHello", city)))
    return " ".join(greetings)


@app.orchestration_trigger(context_name="context", orchestration="Sleeper")
def sleeper(context: df.DurableOrchestrationContext):
    seconds = context.get_input()["Seconds"]
    yield context.create_timer(context.current_utc_datetime + datetime.timedelta(seconds=seconds))
    return "slept"


@app.orchestration_trigger(context_name="context", orchestration="WaitEvent")
def wait_event(context: df.DurableOrchestrationContext):
    event = yield context.wait_for_external_event("go")
    return json.dumps(event, separators=(",", ":"))


@app.orchestration_trigger(context_name="context", orchestration="Failing")
def failing(context: df.DurableOrchestrationContext):
    if context.get_input().get("Direct"):
        raise RuntimeError("failing on purpose")
    yield context.call_activity("Boom", "failing on purpose")


@app.entity_trigger(context_name="context", entity_name="Counter")
def counter(context: df.DurableEntityContext) -> None:
    context.set_state(context.get_state(lambda: 0) + context.get_input())
