// A plugin of typedoc for `npm run docs`: documents are called by their headings and stand in groups, modules are called as they are imported,
// who comes for the first time finds the lists of guides and modules open, and the sources are pages of the site.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Converter, JSX, RendererEvent } from "typedoc";

/** The group of a document, by its path. */
const groups = [
  [/^docs\/guide\//, "Guides"],
  [/^docs\/decisions\//, "Decisions"],
  [/./, "Reference"],
];

const openAtFirst = `for (const name of ["Guides", "Modules"]) {
  const key = "tsd-accordion-" + name;
  if (!localStorage.getItem(key)) localStorage.setItem(key, "true");
}`;

/** A page of a source file, each of its lines under its number; `path` is relative to src/. */
function sourcePage(path, source) {
  const root = "../".repeat(path.split("/").length);
  const escaped = source.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const lines = escaped.split("\n").map((line, i) => `<span id="L${i + 1}">${line}\n</span>`);
  return `<!DOCTYPE html>
<html lang="en" class="default">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>src/${path} | socket-ingress</title>
<link rel="stylesheet" href="${root}assets/style.css">
<link rel="stylesheet" href="${root}assets/custom.css">
<script>document.documentElement.dataset.theme = localStorage.getItem("tsd-theme") || "os";</script>
</head>
<body>
<main class="container tsd-typography">
<p><a href="${root}index.html">socket-ingress</a> / src/${path}</p>
<pre class="source"><code>${lines.join("")}</code></pre>
</main>
</body>
</html>
`;
}

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, document) => {
    const path = app.files.getReflectionPath(document)?.slice(`${process.cwd()}/`.length) ?? "";
    const heading = /^# (.+)$/m.exec(document.content.map(({ text }) => text).join(""))?.[1];
    document.name = heading?.replaceAll("`", "") ?? document.name;
    document.frontmatter["group"] = groups.find(([pattern]) => pattern.test(path))?.[1];
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) {
      // `index`, `features/changes/client`: what is left is the subpath.
      const subpath = module.name.replace(/^(features\/)?/, "").replace(/(^|\/)index$/, "");
      module.name = subpath === "" ? "socket-ingress" : `socket-ingress/${subpath}`;
    }
  });
  app.renderer.hooks.on("head.begin", () =>
    JSX.createElement("script", null, JSX.createElement(JSX.Raw, { html: openAtFirst })),
  );
  app.renderer.on(RendererEvent.END, ({ outputDirectory }) => {
    for (const path of readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    )) {
      const page = join(outputDirectory, "source", `${path}.html`);
      mkdirSync(dirname(page), { recursive: true });
      writeFileSync(page, sourcePage(path.replaceAll("\\", "/"), readFileSync(join("src", path), "utf8")));
    }
  });
}
