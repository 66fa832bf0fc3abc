"""The application: `uvicorn api.app:app`, or `python -m api.app`."""

import logging
import os

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from strands.types.exceptions import EventLoopException, SessionException

from agent.session_repository import status_of
from api.routes import router

logger = logging.getLogger(__name__)

app = FastAPI(title="test-session-agent", description="Remembers what it is told, whatever happens to its process.")
app.include_router(router)


@app.exception_handler(RequestValidationError)
def request_refused(request: Request, error: RequestValidationError) -> JSONResponse:
    """What is wrong, without what was sent: half a character or NaN can't be sent back."""
    faults = [{name: fault[name] for name in ("type", "loc", "msg")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, 422)


@app.exception_handler(SessionException)
def session_failed(request: Request, error: Exception) -> JSONResponse:
    """The conversation could not be kept or read."""
    return JSONResponse({"detail": str(error)}, status_of(error))


@app.exception_handler(EventLoopException)
def agent_failed(request: Request, error: EventLoopException) -> JSONResponse:
    """The model or a tool failed; the log says why."""
    logger.error("the agent failed", exc_info=error)
    cause = type(error.original_exception).__name__
    return JSONResponse({"detail": f"The model or a tool failed: {cause}. The log says more."}, 502)


def main() -> None:
    """Serve on HOST and PORT."""
    uvicorn.run(app, host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "8000")))


if __name__ == "__main__":
    main()
