"""What is done around every handler: passing in the objects it asks for, turning its answer or error into a
response."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, get_type_hints

import bottle

from api.answers import Kind
from api.refusals import refused_by
from worker.db import Database
from worker.db.routines.base import Routines


class RoutinesPlugin:
    """Hands a handler the objects that it asks for: a parameter whose type is a class of worker.db.routines."""

    name = "routines"
    api = 2

    def __init__(self, database: Database, stand_ins: Collection[Routines]) -> None:
        self._database = database
        self._stand_ins = stand_ins

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        found = get_type_hints(route.callback)
        found.pop("return", None)
        wanted = {
            name: self._of(kind)
            for name, kind in found.items()
            if isinstance(kind, type) and issubclass(kind, Routines)
        }
        if not wanted:
            return callback

        def with_objects(*args: Any, **kwargs: Any) -> Any:
            return callback(*args, **wanted, **kwargs)

        return with_objects

    def _of(self, kind: type[Routines]) -> Routines:
        return next((one for one in self._stand_ins if isinstance(one, kind)), None) or kind(self._database)


class AnswerPlugin:
    """Turns what a handler returns or raises into a response of the route's kind."""

    name = "answers"
    api = 2

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        kind = self._kinds[route.config.get("answer", "json")]

        def answered(*args: Any, **kwargs: Any) -> bottle.HTTPResponse:
            try:
                value = callback(*args, **kwargs)
                return value if isinstance(value, bottle.HTTPResponse) else kind.answer(value)
            except bottle.HTTPResponse:
                raise
            except Exception as error:
                return kind.refusal(refused_by(error, route.rule))

        return answered
