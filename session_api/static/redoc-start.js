import { init } from "../docs/assets/redoc.standalone.js";

const page = document.getElementById("page");

// ReDoc tells its makers about every view otherwise.
init(page.dataset.url, { disableTelemetry: true }, page);
