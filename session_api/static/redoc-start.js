Redoc.init(document.currentScript.dataset.url, {}, document.getElementById("page"));
