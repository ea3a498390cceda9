"""The HTTP API."""

import json

from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from mink_core import ConcurrencyError
from shop import orders
from shop.models import Order


@csrf_exempt
@require_http_methods(["GET", "PUT"])
def order(request: HttpRequest, number: str) -> JsonResponse:
    """Place an order, or show it with its history."""
    if request.method == "PUT":
        given = json.loads(request.body)
        try:
            orders.place(number, given["customer"], given["total"])
        except ConcurrencyError:
            return JsonResponse({"detail": f"order {number} is there already"}, status=409)
    row = get_object_or_404(Order, number=number)
    history = [event.event_type for event in orders.store().read_stream(f"order-{number}")]
    return JsonResponse({"customer": row.customer, "total": row.total, "paid": row.paid, "history": history})


@csrf_exempt
@require_http_methods(["POST"])
def payment(request: HttpRequest, number: str) -> JsonResponse:  # noqa: ARG001 -- Django calls it so
    """Pay an order."""
    get_object_or_404(Order, number=number)
    orders.pay(number)
    return JsonResponse({"paid": True})
