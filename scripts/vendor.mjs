// Copies the browser files that pages use from node_modules into core/web/static/vendor:
// htmx, the parts of ECharts that charts.js draws with, and one SVG sprite of the icons listed here (<svg><use href="…/icons.svg#Mail"/></svg>).

import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const ICONS = `
  Activity Alert Calendar CheckM ChevronDownS ChevronRightS ChevronTopS CircleCheck Clock Company
  Contact Copy CrossM CrossS Database Download EditM Filter FilterFunnel Fire GoToM GraphsDiagram
  Group Hourglass IdeaLamp InfoCircle Lead Link LockM Mail MailSend Money MoreM PauseM Person PhoneUp
  PlayM PlusL Power Question Refresh RepeatSales Rocket SaleTag Search SettingsM ShieldChecked
  ShoppingCart SpeedMeter Stages StatisticsArrow StopM Theme Trashcan TrendDown TrendUp UserProfile
  Wallet
`.trim().split(/\s+/);

const CHARTS = `
  import { init, use } from "echarts/core";
  import { BarChart, LineChart } from "echarts/charts";
  import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
  import { CanvasRenderer } from "echarts/renderers";
  use([AriaComponent, BarChart, CanvasRenderer, GridComponent, LegendComponent, LineChart, TooltipComponent]);
  export { init };
`;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const packages = join(root, "node_modules");
const target = join(root, "core", "web", "static", "vendor");

// Icons are Vue render functions. This stands in for Vue: the same calls build plain text.
const VUE = `
  const escape = (text) => String(text).replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");
  const element = (tag, attributes, children) => ({ tag, attributes: attributes ?? {}, children: children ?? [] });
  export const openBlock = () => null;
  export const createElementBlock = element;
  export const createElementVNode = element;
  export const createStaticVNode = (markup) => ({ markup });
  export const markup = (node) => node.markup ?? \`<\${node.tag}\${Object.entries(node.attributes)
    .map(([name, value]) => \` \${name}="\${escape(value)}"\`).join("")}>\${node.children.map(markup).join("")}</\${node.tag}>\`;
`;

async function symbol(name, workshop, vue) {
  const source = join(packages, "@bitrix24", "b24icons-vue", "dist", "outline", "esm", `${name}Icon.js`);
  const copy = join(workshop, `${name}.mjs`);
  await writeFile(copy, (await readFile(source, "utf8")).replaceAll('"vue"', '"./vue.mjs"'));
  const icon = (await import(pathToFileURL(copy))).default({}, []);
  const paths = icon.children.map(vue.markup).join("");
  return `<symbol id="${name}" viewBox="${icon.attributes.viewBox}" fill="none">${paths}</symbol>`;
}

async function sprite() {
  const workshop = await mkdtemp(join(tmpdir(), "icons-"));
  try {
    const stub = join(workshop, "vue.mjs");
    await writeFile(stub, VUE);
    const vue = await import(pathToFileURL(stub));
    const symbols = await Promise.all(ICONS.map((name) => symbol(name, workshop, vue)));
    return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`;
  } finally {
    await rm(workshop, { recursive: true });
  }
}

async function charts() {
  const outfile = join(target, "echarts.min.js");
  await build({ stdin: { contents: CHARTS, resolveDir: root }, bundle: true, minify: true, format: "esm", legalComments: "none", outfile });
  await copyFile(join(packages, "echarts", "LICENSE"), join(target, "echarts.LICENSE"));
}

const icons = await sprite();
await mkdir(target, { recursive: true });
await charts();
await copyFile(join(packages, "htmx.org", "dist", "htmx.min.js"), join(target, "htmx.min.js"));
await copyFile(join(packages, "htmx.org", "LICENSE"), join(target, "htmx.LICENSE"));
await copyFile(join(packages, "@bitrix24", "b24icons-vue", "LICENSE"), join(target, "icons.LICENSE"));
await writeFile(join(target, "icons.svg"), icons);
