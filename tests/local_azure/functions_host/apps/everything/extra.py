"""A blueprint, as larger apps use it."""

import azure.durable_functions as df
import azure.functions as func

blueprint = df.Blueprint()


@blueprint.route(route="extra/{number:int}", auth_level=func.AuthLevel.ANONYMOUS)
def extra(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"extra {req.route_params['number']}")


@blueprint.timer_trigger(schedule="0 0 2 * * *", arg_name="timer")
def nightly(timer: func.TimerRequest) -> None:
    return None
