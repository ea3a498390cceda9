"""The paths."""

from django.urls import path

from shop import views

urlpatterns = [
    path("orders/<str:number>", views.order),
    path("orders/<str:number>/payment", views.payment),
]
